import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPublicClient, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openDeployment, openSender } from '../../client/chain/open-deployment.ts';
import { toSignedReceiptStruct } from '../../client/disputes/build-evidence.ts';
import { openDispute, readDisputeCost } from '../../client/disputes/open-dispute.ts';
import { readDisputes } from '../../client/disputes/read-disputes.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { createFolderSource } from '../../fsck/check-blocks.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { verifyCall } from '../../fsck/verify-call.ts';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import type { ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { decodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { advanceTime } from '../../scripts/demo/move-time.ts';
import { signAsBatch } from '../../scripts/demo/sign-falsely.ts';
import type { ReleaseResult } from '../../server/collection/run-releases.ts';
import type { ChainStack } from '../support/deploy-stack.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { signCharge } from '../support/open-ways.ts';
import { chatBody } from '../support/raw-payer.ts';
import { sendAllowance } from '../support/send-allowance.ts';
import { startTwoChains, type TwoChains } from '../support/start-two-chains.ts';

let chains: TwoChains;
beforeAll(async () => {
  chains = await startTwoChains();
}, 400_000);
afterAll(() => chains?.stop());

const both = () => [chains.home, chains.other] as const;

interface Named {
  methodDetails: { chainId: number };
}
const chainIdOf = ({ request }: ChallengeEcho) => (decodeBase64UrlJson(request) as Named).methodDetails.chainId;

/** What an unpaid request is offered. */
async function readOffers(url = chains.relay.url, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: chatBody() },
  });
  expect(response.status).toBe(402);
  const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
  const required = decodeHeaderJson('PAYMENT-REQUIRED', response.headers.get('payment-required') ?? '');
  const { accepts } = required as { accepts: { asset: Hex; network: string; scheme: string }[] };
  let bytes = 0;
  for (const [name, value] of response.headers) bytes += Buffer.byteLength(`${name}: ${value}\r\n`);
  return { challenges, accepts, bytes };
}

/** A call that a voucher pays for; the challenge is the one of its chain. */
async function payByVoucher(stack: ChainStack, channelId: Hex, cumulativeAmount: bigint) {
  const payer = chains.payerOn(stack);
  const { challenges } = await readOffers(chains.relay.url, { 'accept-payment': 'evm/session, x402/*;q=0.1' });
  const challenge = challenges.find((one) => one.intent === 'session' && chainIdOf(one) === stack.chain.chainId);
  if (!challenge) throw new Error(`no challenge of chain ${stack.chain.chainId}`);
  return payer.pay({ channelId, cumulativeAmount, challenge });
}

function signedReceiptOf(response: Response) {
  return decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '');
}

const scopeOf = ({ chain, contracts }: ChainStack) => ({
  chainId: chain.chainId,
  verifyingContract: contracts.autoPayLLM,
});

/** A receipt is signed for this chain. */
function verifyOn(stack: ChainStack, signed: SignedReceipt): void {
  verifySignedReceipt(signed, { scope: scopeOf(stack), signer: stack.relay });
}

/** What the payer holds on each chain. */
function balancesOf(symbol: 'USDC' | 'AGPT'): Promise<bigint[]> {
  const balances = both().map(({ chain, deployment, payer }) =>
    createPublicClient({ transport: http(chain.rpcUrl), cacheTime: 0 }).readContract({
      ...{ address: deployment.tokens[symbol]?.address ?? '0x', abi: fiatTokenAbi },
      ...{ functionName: 'balanceOf', args: [payer] },
    }),
  );
  return Promise.all(balances);
}

/** On which chains the payer has less than before. */
async function spentSince(symbol: 'USDC' | 'AGPT', before: readonly bigint[]): Promise<boolean[]> {
  const after = await balancesOf(symbol);
  return after.map((balance, index) => balance < (before[index] ?? 0n));
}

describe('a relay that is paid on two chains', () => {
  it('has contracts and tokens at the same addresses on both, so that nothing is told apart by address', () => {
    const { home, other } = chains;
    expect(other.contracts).toEqual(home.contracts);
    expect(other.chain.chainId).not.toBe(home.chain.chainId);
  });

  it('offers every method on both, the home chain first, within 4 KiB of headers', async () => {
    const { challenges, accepts, bytes } = await readOffers();
    expect(bytes).toBeLessThanOrEqual(4_096);
    const sessions = challenges.filter(({ intent }) => intent === 'session').map(chainIdOf);
    const charges = challenges.filter(({ intent }) => intent === 'charge').map(chainIdOf);
    expect(sessions).toEqual([31_337, 31_338]);
    // What does not fit is left out from the end; who asks for one method gets all of it.
    const { USDC } = chains.home.deployment.tokens;
    const named = ({ asset, network, scheme }: { asset: Hex; network: string; scheme: string }) =>
      `${network} ${scheme} in ${asset === USDC?.address ? 'USDC' : 'AGPT'}`;
    expect(charges).toEqual([31_337]);
    const most = ['eip155:31337 upto in USDC', 'eip155:31337 exact in USDC', 'eip155:31338 exact in USDC'];
    expect(accepts.map(named)).toEqual(most);
    const asked = await readOffers(chains.relay.url, { 'accept-payment': 'x402/*' });
    expect(asked.accepts.map(named)).toEqual([
      ...[...most, 'eip155:31338 upto in USDC', 'eip155:31337 upto in AGPT', 'eip155:31337 exact in AGPT'],
      ...['eip155:31338 exact in AGPT', 'eip155:31338 upto in AGPT'],
    ]);
  });

  it('is a relay of one chain at /chains/<id>', async () => {
    for (const { chain } of both()) {
      const url = `${chains.relay.url}/chains/${chain.chainId}`;
      const { challenges, accepts } = await readOffers(url);
      expect(new Set(challenges.map(chainIdOf))).toEqual(new Set([chain.chainId]));
      expect(new Set(accepts.map(({ network }) => network))).toEqual(new Set([`eip155:${chain.chainId}`]));
      expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ chainId: chain.chainId });
    }
    const health = (await (await fetch(`${chains.relay.url}/healthz`)).json()) as { chains: { chainId: number }[] };
    expect(health.chains.map(({ chainId }) => chainId)).toEqual([31_337, 31_338]);
  });

  it('takes vouchers on both; a receipt is evidence on the chain that its call was paid on, and there only', async () => {
    const salt = toHex(Buffer.alloc(32, 5));
    const calls = [];
    for (const stack of both()) {
      const channelId = await chains.payerOn(stack).openChannel({ deposit: 1_000_000n, salt });
      const response = await payByVoucher(stack, channelId, 2_000n);
      expect(response.status).toBe(200);
      calls.push({ stack, channelId, signed: signedReceiptOf(response) });
    }
    for (const { stack, channelId, signed } of calls) {
      expect(decodeReceipt(signed.entry)).toMatchObject({ channelId, sequence: 1 });
      verifyOn(stack, signed);
      const elsewhere = both().find((one) => one !== stack) ?? stack;
      expect(() => verifyOn(elsewhere, signed)).toThrow();
    }
  });

  it('takes no voucher of one chain by a challenge of the other', async () => {
    const { home, other } = chains;
    const channelId = await chains.payerOn(other).openChannel({ deposit: 1_000_000n });
    const { challenges } = await readOffers();
    const challenge = challenges.find((one) => one.intent === 'session' && chainIdOf(one) === home.chain.chainId);
    if (!challenge) throw new Error('there is no challenge of the home chain');
    const response = await chains.payerOn(other).pay({ channelId, cumulativeAmount: 2_000n, challenge });
    expect(response.status).toBe(410);
    expect(await response.json()).toMatchObject({ error: { code: 'channel_not_found', chainId: home.chain.chainId } });
  });

  it('takes x402 exact on both, by clients that know one chain', async () => {
    for (const stack of both()) {
      const payer = chains.x402On(stack);
      const before = await payer.balance();
      const response = await payer.post(chatBody(), await payer.sign(chatBody(), 'exact'));
      expect(response.status).toBe(200);
      const settled = decodeHeaderJson('PAYMENT-RESPONSE', response.headers.get('payment-response') ?? '');
      expect(settled).toMatchObject({ success: true, network: `eip155:${stack.chain.chainId}` });
      expect(await payer.balance()).toBeLessThan(before);
    }
  });

  it('takes an x402 payment of either chain at the root, once', async () => {
    const payer = chains.x402On(chains.other);
    const body = chatBody();
    const headers = { 'content-type': 'application/json', ...(await payer.sign(body, 'exact')) };
    const send = () => fetch(`${chains.relay.url}/v1/chat/completions`, { method: 'POST', headers, body });
    const [first, second] = [await send(), await send()];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(signedReceiptOf(second)).toEqual(signedReceiptOf(first));
  });

  it('takes evm/charge of either chain at the root', async () => {
    for (const stack of both()) {
      const before = await balancesOf('USDC');
      const body = chatBody();
      // mppx takes the first challenge, whatever its chain is, so it is shown those of one.
      const payer = chains.payerOn(stack, `/chains/${stack.chain.chainId}`);
      const headers = await signCharge(payer, { privateKey: toHex(stack.payerKey), body });
      const response = await chains.payerOn(stack).post(body, headers);
      expect(response.status).toBe(200);
      verifyOn(stack, signedReceiptOf(response));
      expect(await spentSince('USDC', before)).toEqual(both().map((one) => one === stack));
    }
  });

  it('takes allowances on both, each of its own AGPT', async () => {
    for (const stack of both()) {
      const privateKey = toHex(stack.payerKey);
      const where = { ...stack.deployment, rpcUrl: stack.chain.rpcUrl };
      await sendAllowance({ functionName: 'approve', amount: 10n ** 18n, stack: where, privateKey });
      const owner = new KeyOwner(chains.payerOn(stack, `/chains/${stack.chain.chainId}`), privateKey);
      await owner.logIn();
      const { apiKey } = await owner.createKey({ mode: 'allowance' });
      const before = await balancesOf('AGPT');
      const response = await chains.payerOn(stack).post(chatBody(), { authorization: `Bearer ${apiKey}` });
      expect(response.status).toBe(200);
      verifyOn(stack, signedReceiptOf(response));
      expect(await spentSince('AGPT', before)).toEqual(both().map((one) => one === stack));
    }
  });

  it('collects, books and anchors on both; the books agree with both', async () => {
    expect((await chains.runJob('collect')).status).toBe(200);
    expect((await chains.runJob('anchor')).status).toBe(200);
    for (const { chain, contracts } of both()) {
      const reader = createPublicClient({ transport: http(chain.rpcUrl) });
      const business = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
      const events = await reader.getContractEvents({ ...business, eventName: 'Booked', fromBlock: 0n, strict: true });
      // What channels paid, and what direct payments did.
      expect(events.length).toBe(2);
      const log = { address: contracts.auditLog, abi: auditLogAbi, functionName: 'latestSize' } as const;
      expect(await reader.readContract(log)).toBe(9n);
    }
    const report = await checkBooks({ dataDir: chains.dataDir });
    expect(report.claims.filter(({ ok }) => !ok)).toEqual([]);
    const names = report.claims.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['bookings_match', 'bookings_match_on_31338', 'anchors_match_on_31338']),
    );
  });

  it('tells payers of the calls on the chain of their login, and the operator of all', async () => {
    const operatorToken = (await readFile(join(chains.dataDir, 'keys/operator.token'), 'utf8')).trim();
    type Calls = { chainId: number; callId: string; payer: Hex }[];
    const ask = async (path: string, bearer: string) => {
      const answer = await fetch(`${chains.relay.url}${path}`, { headers: { authorization: `Bearer ${bearer}` } });
      return { status: answer.status, data: ((await answer.json()) as { data?: Calls }).data ?? [] };
    };
    const all = await ask('/v1/audit/calls?limit=1000', operatorToken);
    for (const stack of both()) {
      const { chainId } = stack.chain;
      const own = all.data.filter((call) => call.chainId === chainId);
      expect(own.length).toBeGreaterThan(1);
      expect((await ask(`/v1/audit/calls?limit=1000&chain_id=${chainId}`, operatorToken)).data).toEqual(own);
      expect((await ask(`/chains/${chainId}/v1/audit/calls?limit=1000`, operatorToken)).data).toEqual(own);

      const owner = new KeyOwner(chains.payerOn(stack, `/chains/${chainId}`), toHex(stack.payerKey));
      const session = String((await owner.logIn()).body['token']);
      const payer = owner.payer.address.toLowerCase();
      const seen = await ask(`/chains/${chainId}/v1/audit/calls?limit=1000`, session);
      expect(seen.data).toEqual(own.filter((call) => call.payer === payer));
      expect(seen.data.length).toBeGreaterThan(0);
      // One address may be different owners' contracts on two chains.
      const elsewhere = both().find((one) => one !== stack)?.chain.chainId ?? 0;
      expect((await ask(`/chains/${elsewhere}/v1/audit/calls`, session)).status).toBe(401);
      expect((await ask(`/chains/${chainId}/v1/audit/calls?chain_id=${elsewhere}`, session)).status).toBe(403);
      expect((await ask(`/chains/${elsewhere}/v1/audit/receipts/${own[0]?.callId}`, operatorToken)).status).toBe(404);
    }
  });

  it('sells by the wallet of the client on the chain that its owner says', async () => {
    const { home, other, dataDir, relay } = chains;
    for (const { chain, contracts } of both()) {
      const receipts: StoredReceipt[] = [];
      const pay = createPayFetch({
        ...{ relayUrl: relay.url, chainId: chain.chainId, rpcUrl: chain.rpcUrl, contracts },
        ...{ privateKey: toHex(home.payerKey), stateDir: join(dataDir, 'client'), methods: ['evm/session'] as const },
        onReceipt: (receipt) => void receipts.push(receipt),
      });
      const url = `${relay.url}/chains/${chain.chainId}/v1/chat/completions`;
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: chatBody() };
      expect((await pay(url, init)).status).toBe(200);
      expect(receipts).toMatchObject([{ problems: [] }]);
    }
    const channels = JSON.parse(await readFile(join(dataDir, 'client/channels.json'), 'utf8')) as {
      channels: { chainId: number }[];
    };
    expect(channels.channels.map(({ chainId }) => chainId)).toEqual([home.chain.chainId, other.chain.chainId]);
  });

  it('sells by API key on both, each key on its own', async () => {
    const answers: SignedReceipt[] = [];
    for (const stack of both()) {
      const payer = chains.payerOn(stack, `/chains/${stack.chain.chainId}`);
      const owner = new KeyOwner(payer, toHex(stack.payerKey));
      const session = String((await owner.logIn()).body['token']);
      await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 500_000n);
      const { apiKey } = await owner.createKey();
      // At the root, where the key alone says which chain pays.
      const response = await chains.payerOn(stack).post(chatBody(), { authorization: `Bearer ${apiKey}` });
      expect(response.status).toBe(200);
      answers.push(signedReceiptOf(response));
      const elsewhere = both().find((one) => one !== stack)?.chain.chainId ?? 0;
      const refused = await chains
        .payerOn(stack, `/chains/${elsewhere}`)
        .post(chatBody(), { authorization: `Bearer ${apiKey}` });
      expect(refused.status).toBe(401);
      // Nor is a login one of the other chain, where the address may be somebody else's contract.
      const manager = new KeyOwner(chains.payerOn(stack, `/chains/${elsewhere}`), toHex(stack.payerKey));
      expect((await manager.ask('GET', '/v1/keys', { bearer: session })).status).toBe(401);
    }
    both().forEach((stack, index) => {
      const signed = answers[index];
      if (!signed) throw new Error('a receipt is missing');
      verifyOn(stack, signed);
    });
  });

  it('sells on one chain while the other cannot be reached, and takes nothing on that one', async () => {
    const { home, other, toOther } = chains;
    const signed = await chains.x402On(other).sign(chatBody(), 'exact');
    toOther.isOn = false;
    const channelId = await chains.payerOn(home).openChannel({ deposit: 1_000_000n });
    expect((await payByVoucher(home, channelId, 2_000n)).status).toBe(200);
    const payer = chains.x402On(home);
    expect((await payer.post(chatBody(), await payer.sign(chatBody(), 'exact'))).status).toBe(200);
    const refused = await chains.x402On(other).post(chatBody(), signed);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'chain_unavailable' } });
  });

  it('starts without a chain that cannot be reached, and takes it in as soon as it can', async () => {
    const { home, other, toOther } = chains;
    await chains.restart();
    const { challenges } = await readOffers();
    expect(new Set(challenges.map(chainIdOf))).toEqual(new Set([home.chain.chainId]));
    const health = `${chains.relay.url}/chains/${other.chain.chainId}/healthz`;
    expect((await fetch(health)).status).toBe(404);
    toOther.isOn = true;
    await vi.waitFor(async () => expect((await fetch(health)).status).toBe(200), { timeout: 60_000, interval: 250 });
    const payer = chains.x402On(other);
    expect((await payer.post(chatBody(), await payer.sign(chatBody(), 'exact'))).status).toBe(200);
    expect((await chains.runJob('collect')).status).toBe(200);
    const report = await checkBooks({ dataDir: chains.dataDir });
    expect(report.claims.filter(({ ok }) => !ok)).toEqual([]);
  }, 120_000);

  it('is judged by the contracts of the chain that a call was paid on, by their own evidence', async () => {
    const { home, other } = chains;
    const channelId = await chains.payerOn(other).openChannel({ deposit: 1_000_000n });
    const response = await payByVoucher(other, channelId, 2_000n);
    expect((await chains.runJob('collect')).status).toBe(200);
    expect((await chains.runJob('anchor')).status).toBe(200);
    const signed = signedReceiptOf(response);
    const receipt = decodeReceipt(signed.entry);
    const { callId } = receipt;
    const verifyAt = ({ chain, contracts }: ChainStack) =>
      verifyCall({
        ...{ contracts, deployedAtBlock: contracts.deployedAtBlock, chainId: chain.chainId },
        ...{ callId, rpcUrl: chain.rpcUrl, signedReceipt: signed },
        blockSource: createFolderSource(join(chains.dataDir, 'blocks')),
      });
    expect(await verifyAt(other)).toMatchObject({ ok: true, call: { receipt: { channelId } } });
    const failing = (await verifyAt(home)).claims.filter(({ ok }) => ok === false).map(({ name }) => name);
    expect(failing).toContain('relay_signed');

    const one = toSignedReceiptStruct({ callId, receipt: encodeSignedReceipt(signed) });
    const amount = receipt.amount + 5n;
    const [second] = signAsBatch({ scope: scopeOf(other), key: other.relayKey }, [{ ...receipt, amount }]);
    if (!second) throw new Error('nothing was signed');
    const evidence = { kind: 'duplicate-sequence', one, other: second } as const;
    const cost = { token: other.contracts.usdc, bond: 0n };
    const openOn = async (stack: ChainStack) => {
      const deployment = await openDeployment(stack.chain.rpcUrl, stack.deployment);
      return { deployment, sender: openSender(deployment, toHex(stack.payerKey)) };
    };
    const atHome = await openOn(home);
    const refused = openDispute(atHome.deployment, atHome.sender, { evidence, cost });
    await expect(refused).rejects.toThrow('no receipt key of this relay');

    const { deployment, sender } = await openOn(other);
    const { disputeId } = await openDispute(deployment, sender, { evidence, cost });
    expect(await readDisputes(deployment, disputeId)).toMatchObject([{ state: 'upheld', channelId }]);

    // An hour and more later, by the time of this chain: merge delay and dispute window are over there, and there only.
    await advanceTime(other.chain.rpcUrl, 7_200);
    const challenge = { kind: 'not-in-log', receipt: one } as const;
    const bonded = await readDisputeCost(deployment, { evidence: challenge, token: cost.token });
    const asked = await openDispute(deployment, sender, { evidence: challenge, cost: bonded });
    const stateOf = async () => (await readDisputes(deployment, asked.disputeId))[0]?.state;
    await vi.waitFor(async () => expect(await stateOf()).not.toBe('open'), { timeout: 30_000, interval: 250 });
    expect(await stateOf()).toBe('answered');

    const released = (await (await chains.runJob('release')).json()) as { chains: Record<string, ReleaseResult> };
    const there = released.chains[other.chain.chainId];
    expect(there).toMatchObject({ waiting: 0 });
    expect(there?.released.length).toBeGreaterThanOrEqual(4);
    expect(released.chains[home.chain.chainId]).toEqual({ released: [], waiting: 0, nothingToDo: true });
    const report = await checkBooks({ dataDir: chains.dataDir });
    expect(report.claims.filter(({ ok }) => !ok)).toEqual([]);
  }, 120_000);
});
