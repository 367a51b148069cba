import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runAutopay } from '../../cli/testing/start-cli-stack.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { ed25519KeyOf } from '../../protocol/bytes/ed25519.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { parseEvidence, type EvidenceDocument } from '../../protocol/evidence/evidence-document.ts';
import { judgeEvidence } from '../../protocol/evidence/judge-evidence.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { createSimulator, type Simulator } from '../../simulator/create-simulator.ts';
import { forgeMachine } from '../support/forge-quote.ts';
import { readBooks } from '../support/read-books.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/*
 * Providers that sign, attest and commit, on a whole stack: what receipts say of each, and what becomes of answers whose evidence fails.
 * The machines are made up, under a root of the test's own; what is checked of their quotes is what is checked of Intel's.
 */

const privateKey = Buffer.alloc(32, 0x51);
const seed = Buffer.alloc(32, 0x52);
const address = addressOfPrivateKey(privateKey);
const edKey = `ed25519:${ed25519KeyOf(seed).publicKey.toString('hex')}` as const;
const genuine = forgeMachine();
const outdated = forgeMachine({ tcbStatus: 'OutOfDate' });
const simulators: Simulator[] = [];
let stack: TestStack;
let operatorToken: string;

function reportOf(machine: typeof genuine) {
  return ({ nonce, signingAddress }: { nonce: string; signingAddress: string }) => {
    const key = Buffer.from(signingAddress.slice(2), 'hex');
    const reportData = Buffer.concat([key, Buffer.alloc(32 - key.length), Buffer.from(nonce, 'hex')]);
    return {
      ...{ intel_quote: machine.quote(reportData).toString('hex'), quote_collateral: machine.collateral },
      nvidia_payload: '{}',
    };
  };
}

async function startProvider(signer: Parameters<typeof createSimulator>[0] & object): Promise<string> {
  const simulator = createSimulator(signer);
  simulators.push(simulator);
  return `${await simulator.listen(0)}/v1`;
}

const price = { prompt: '0.15', completion: '0.60' };
const on = (provider: string, model = 'sim-small', region = 'local') => ({ provider, model, region });
const route = (model: string, ...deployments: object[]) => ({ model, deployments, price });
const wrong = (fault: string, region = 'local') => on('signer', `sim-small?evidence=${fault}`, region);

beforeAll(async () => {
  const good = await startProvider({ signer: { algorithm: 'ecdsa', privateKey, report: reportOf(genuine) } });
  const old = await startProvider({ signer: { algorithm: 'ecdsa', privateKey, report: reportOf(outdated) } });
  const ed = await startProvider({ signer: { algorithm: 'ed25519', privateKey: seed } });
  const tee = (machine: typeof genuine) => ({
    ...{ kind: 'tee', rootCa: machine.rootPem, measurements: [{ mrTd: machine.mrTd }], timeoutMs: 5_000 },
  });
  stack = await startTestStack({
    config: {
      providers: [
        { name: 'plain', baseUrl: good },
        { name: 'signer', baseUrl: good, evidence: { kind: 'signature', keys: [address], timeoutMs: 600 } },
        { name: 'ed', baseUrl: ed, evidence: { kind: 'signature', keys: [edKey] } },
        { name: 'tee', baseUrl: good, evidence: tee(genuine) },
        { name: 'old-tee', baseUrl: old, evidence: tee(outdated) },
        { name: 'verathos', baseUrl: good, evidence: { kind: 'verathos' } },
      ],
      routes: [
        route('plain', on('plain')),
        route('signed', on('signer')),
        route('ed', on('ed')),
        route('tee', on('tee')),
        route('gateway', on('tee', 'sim-small?evidence=gateway')),
        route('old-tee', on('old-tee')),
        route('verathos', on('verathos')),
        route('bad-beacon', on('verathos', 'sim-small?evidence=flip')),
        ...['late', 'flip', 'other-key', 'missing', 'hang'].map((fault) => route(fault, wrong(fault))),
        {
          ...route('strict', wrong('flip', 'first'), on('signer', 'sim-small', 'second')),
          minimumEvidenceTier: 'provider-signed',
        },
        { ...route('hopeless', wrong('flip')), minimumEvidenceTier: 'provider-signed' },
      ],
    },
  });
  operatorToken = (await readFile(stack.stack.operatorTokenFile, 'utf8')).trim();
});
afterAll(async () => {
  await stack?.stop();
  for (const simulator of simulators) await simulator.close();
});

interface Bought {
  status: number;
  headers: Headers;
  body: string;
  receipt: CallReceipt | undefined;
  problems: string[];
}

let count = 0;

async function buy(
  model: string,
  options: { stream?: boolean; proof?: boolean; headers?: Record<string, string> } = {},
): Promise<Bought> {
  const receipts: StoredReceipt[] = [];
  const fetch = createPayFetch({
    ...stack.payFetchOptions,
    onReceipt: (receipt) => void receipts.push(receipt),
    onWarning: () => undefined,
  });
  const response = await fetch(`${stack.payFetchOptions.relayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...options.headers },
    body: JSON.stringify({
      ...{ model, messages: [{ role: 'user', content: `Question ${(count += 1)}` }], max_tokens: 8 },
      ...(options.stream && { stream: true }),
      ...(options.proof && { include_proof: true }),
    }),
  });
  const body = await readAll(response);
  const [stored] = receipts;
  return {
    ...{ status: response.status, headers: response.headers, body },
    receipt: stored && decodeReceipt(decodeSignedReceipt(stored.receipt).entry),
    problems: receipts.flatMap(({ problems }) => problems),
  };
}

/** What came of a body, whole or not. */
async function readAll(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) pieces.push(piece);
  } catch {
    // Broken off: what came before is what there is.
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function evidenceOf(callId: string | undefined, token = operatorToken): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  return fetch(`${stack.payFetchOptions.relayUrl}/v1/audit/evidence/${callId ?? 'none'}`, { headers });
}

const failing = ({ judged }: EvidenceDocument) =>
  judged.checks.filter(({ result }) => result === 'fails').map(({ name }) => name);

it.each([
  ['signed', {}, 'provider-signed'],
  ['ed', {}, 'provider-signed'],
  ['late', {}, 'provider-signed'],
  ['tee', {}, 'tee-attested'],
  ['verathos', { proof: true }, 'commitment-checked'],
] as const)(
  '%s: the receipt says what was checked, and whoever has the document finds the same',
  async (model, options, tier) => {
    for (const stream of [false, true]) {
      const { headers, receipt, problems } = await buy(model, { ...options, stream });
      expect([receipt?.evidenceTier, problems]).toEqual([tier, []]);
      if (!stream) expect(headers.get('x-autopay-evidence-tier')).toBe(tier);
      const answer = await evidenceOf(receipt?.callId);
      expect(answer.status).toBe(200);
      const document = parseEvidence(await answer.text());
      expect(document).toMatchObject({ judged: { tier }, exchange: { stream }, fault: null });
      const terms = {
        keys: [address, edKey],
        ...{ measurements: [{ mrTd: genuine.mrTd }], rootCaDer: genuine.rootDer },
      };
      expect((await judgeEvidence(document, terms, { receipt })).tier).toBe(tier);
      // Without keys and measurements of one's own, nothing that the relay says counts.
      const alone = await judgeEvidence(document, { keys: [], measurements: [] }, { receipt });
      expect(alone.tier).toBe(tier === 'commitment-checked' ? tier : 'relay-signed');
    }
  },
);

it.each([
  ['flip', {}, ['signed text']],
  ['other-key', {}, ['signer']],
  ['missing', {}, ['evidence']],
  ['hang', {}, ['evidence']],
  ['gateway', {}, ['signer']],
  ['old-tee', {}, ['platform']],
  ['bad-beacon', { proof: true }, ['beacon']],
  ['verathos', {}, ['evidence']],
] as const)(
  '%s: evidence that fails lowers the tier, and shows; the call is charged as any',
  async (model, options, fails) => {
    for (const stream of [false, true]) {
      const { receipt, status } = await buy(model, { ...options, stream });
      expect([status, receipt?.evidenceTier]).toEqual([200, 'relay-signed']);
      expect(receipt?.amount).toBeGreaterThan(0n);
      expect(failing(parseEvidence(await (await evidenceOf(receipt?.callId)).text()))).toEqual(fails);
    }
  },
);

it('a provider without evidence has none: no document, no header', async () => {
  const { headers, receipt } = await buy('plain');
  expect([receipt?.evidenceTier, headers.get('x-autopay-evidence-tier')]).toEqual(['relay-signed', null]);
  expect((await evidenceOf(receipt?.callId)).status).toBe(404);
  expect((await evidenceOf(receipt?.callId, 'somebody-else')).status).toBe(401);
});

it('a route’s minimum: an answer with less is a failed attempt, and another deployment is asked', async () => {
  const { headers, receipt } = await buy('strict');
  expect(receipt).toMatchObject({ evidenceTier: 'provider-signed', deployment: 'signer@second' });
  expect(headers.get('x-autopay-attempts')).toBe('2');
});

it('where no other is left, nothing is charged: JSON is refused, a stream ends with an error', async () => {
  const before = readBooks(stack.stack.dataDir);
  const json = await buy('hopeless');
  expect(json).toMatchObject({ status: 502, receipt: undefined });
  expect(JSON.parse(json.body)).toMatchObject({ error: { code: 'evidence_too_low' } });
  const stream = await buy('hopeless', { stream: true });
  expect(stream.receipt).toBeUndefined();
  expect(stream.body).toContain('evidence_too_low');
  expect(stream.body).not.toContain('[DONE]');
  // The books agree: nothing is charged, and nothing is held any more.
  expect(readBooks(stack.stack.dataDir)).toEqual({ ...before, open: 0 });
});

it('a client’s minimum: what cannot show as much is no candidate, and tiers do not stand for each other', async () => {
  const demand = (tier: string) => ({ headers: { 'x-autopay-evidence-tier': tier } });
  expect((await buy('tee', demand('provider-signed'))).receipt?.evidenceTier).toBe('tee-attested');
  expect((await buy('signed', demand('tee-attested'))).status).toBe(404);
  expect((await buy('verathos', { proof: true, ...demand('tee-attested') })).status).toBe(404);
  // The relay asks for the proof that is demanded: whoever left it out would have the stream for nothing.
  for (const stream of [false, true]) {
    const { receipt } = await buy('verathos', { stream, ...demand('commitment-checked') });
    expect(receipt?.evidenceTier).toBe('commitment-checked');
  }
  expect((await buy('flip', demand('provider-signed'))).status).toBe(502);
});

// Last: the sidecar's wallet is the same, and what it signs is news to those above.
it('autopay audit evidence judges by the keys that its user trusts, and by what the wallet has', async () => {
  const { dataDir, sidecarUrl } = { dataDir: stack.stack.dataDir, sidecarUrl: stack.sidecarUrl };
  const asked = await fetch(`${sidecarUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'signed', messages: [{ role: 'user', content: 'From the sidecar' }], max_tokens: 8 }),
  });
  expect(asked.status).toBe(200);
  await asked.text();
  const judge = (...args: string[]) => runAutopay(['audit', 'evidence', 'last', ...args, '--data-dir', dataDir], {});
  const trusting = await judge('--key', address);
  expect(trusting).toMatchObject({ code: 0, stderr: '' });
  expect(trusting.stdout).toContain('The evidence shows: provider-signed. The relay found: provider-signed.');
  const alone = await judge();
  expect(alone.code).toBe(1);
  expect(alone.stdout).toContain('The evidence shows: relay-signed.');
  expect(await judge('--key', 'abc')).toMatchObject({ code: 2, stderr: expect.stringContaining('is an address') });
});
