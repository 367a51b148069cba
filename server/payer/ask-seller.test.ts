import { expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../../protocol/mpp/challenge.ts';
import { parseCredential } from '../../protocol/mpp/credential.ts';
import type { UpstreamRequest, UpstreamResponse } from '../call/transport.ts';
import { askPayee, askSpent } from './ask-seller.ts';
import { address, answer, terms, transportOf, wallet } from './payer-fixture.ts';

const escrow = address('e5');
const channelId: Hex = `0x${'0c'.repeat(32)}`;
const deployment = { id: 'seller@x', provider: 'seller', model: 'their-name' };

function offer(escrowContract = escrow): UpstreamResponse {
  const methodDetails = { chainId: 31_337, escrowContract };
  const request = { amount: '1', currency: terms.token.address, recipient: address('b1'), methodDetails };
  const challenge = { id: 'i', realm: 'r', method: 'evm', intent: 'session', request: encodeBase64UrlJson(request) };
  return answer(402, { 'www-authenticate': formatChallenge(challenge) });
}
const questions = (respond: (request: UpstreamRequest) => UpstreamResponse) => {
  const transport = transportOf(respond);
  return { transport, terms, escrow, deployment };
};

it('the payee is asked for by a shortest call without a payment', async () => {
  const asked = questions(() => offer());
  expect(await askPayee(asked)).toBe(address('b1'));
  const [sent] = asked.transport.sent;
  expect(JSON.parse(Buffer.from(sent?.body ?? []).toString())).toMatchObject({ model: 'their-name', max_tokens: 1 });
  // It belongs to no call, so nothing pays for it.
  expect(sent).not.toHaveProperty('attempt');
  await expect(askPayee(questions(() => answer(200)))).rejects.toMatchObject({ code: 'upstream_error' });
  await expect(askPayee(questions(() => offer(address('e6'))))).rejects.toThrow('escrow');
});

it('what was spent is asked for by the highest voucher, without a call', async () => {
  const receipt = (id: Hex) => ({ 'payment-receipt': encodeBase64UrlJson({ channelId: id, spent: '77' }) });
  const ask = (paid: UpstreamResponse) => {
    const asked = questions(({ headers }) => (headers ? paid : offer()));
    return { asked, spent: askSpent(asked, { channelId, signed: 500n }, wallet) };
  };
  const { asked, spent } = ask(answer(200, receipt(channelId)));
  expect(await spent).toBe(77n);
  const sent = asked.transport.sent[1];
  expect(sent?.body).toHaveLength(0);
  expect(parseCredential(sent?.headers?.['authorization'] ?? '')?.payload).toMatchObject({
    cumulativeAmount: '500',
    channelId,
  });
  expect(await ask(answer(200, receipt(`0x${'0d'.repeat(32)}`))).spent).toBeUndefined();
  expect(await ask(answer(402)).spent).toBeUndefined();
});
