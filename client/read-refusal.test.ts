import { expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { encodeBase64UrlJson } from '../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../protocol/mpp/challenge.ts';
import { readRefusal } from './read-refusal.ts';

const usdc: Hex = `0x${'c1'.repeat(20)}`;
const agpt: Hex = `0x${'a9'.repeat(20)}`;
const address: Hex = `0x${'e5'.repeat(20)}`;

function challengeIn(currency: Hex): string {
  const methodDetails = { chainId: 1, escrowContract: address };
  const request = encodeBase64UrlJson({ amount: '1', currency, recipient: address, methodDetails });
  return formatChallenge({ id: `in ${currency}`, realm: 'r', method: 'evm', intent: 'session', request });
}

function refusal(challenges: string[]): Response {
  const error = { code: 'payment_required', quote: '7', spent: 'not an amount' };
  const headers = { 'www-authenticate': challenges.join(', ') };
  return new Response(JSON.stringify({ error }), { status: 402, headers });
}

it('takes the challenge in the token that the wallet pays in', async () => {
  const challenges = [challengeIn(usdc), 'Bearer realm="x"', challengeIn(agpt)];
  expect((await readRefusal(refusal(challenges), agpt)).challenge?.id).toBe(`in ${agpt}`);
  expect((await readRefusal(refusal(challenges), usdc)).challenge?.id).toBe(`in ${usdc}`);
});

it('takes the first where none is in that token: holding it to the terms then says why nothing is signed', async () => {
  expect((await readRefusal(refusal([challengeIn(usdc)]), agpt)).challenge?.id).toBe(`in ${usdc}`);
  expect((await readRefusal(refusal([]), agpt)).challenge).toBeUndefined();
});

it('reads what is claimed, without what is no amount, and hands the answer on unread', async () => {
  const { code, quote, spent, response } = await readRefusal(refusal([]), usdc);
  expect({ code, quote, spent }).toEqual({ code: 'payment_required', quote: 7n, spent: undefined });
  expect(await response.json()).toMatchObject({ error: { code: 'payment_required' } });
});
