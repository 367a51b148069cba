import type { IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { EvidenceDocument } from '../../protocol/evidence/evidence-document.ts';
import { sha256Hex } from '../../protocol/evidence/provider-signature.ts';
import { createSimulator } from '../../simulator/create-simulator.ts';
import type { SignerOptions } from '../../simulator/sign-answers.ts';
import { forgeMachine, type ForgedMachine } from '../../test/support/forge-quote.ts';
import { readRecordedQuote } from '../../test/support/read-recorded-quote.ts';
import { serveHttp } from '../../test/support/serve-http.ts';
import { makeResponse } from '../call/call-fixtures.ts';
import { tapExchange } from '../call/evidence/exchange-tap.ts';
import { providerEvidenceSchema } from '../config/schema/provider-evidence-section.ts';
import { checkQuote, type CheckQuote } from './check-quote.ts';
import { createEvidenceCollector } from './create-evidence-collector.ts';
import { readAnswerId, readProof, readValues } from './read-answer.ts';

const privateKey = Buffer.alloc(32, 0x33);
const address = addressOfPrivateKey(privateKey);
const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function startProvider(signer: Partial<SignerOptions> = {}): Promise<string> {
  const simulator = createSimulator({ signer: { algorithm: 'ecdsa', privateKey, ...signer } });
  closers.push(() => simulator.close());
  return `${await simulator.listen(0)}/v1`;
}

/** Answers JSON to whatever is asked, and remembers how it was asked. */
async function startServer(
  answer: (request: IncomingMessage) => { status?: number; headers?: Record<string, string>; body: string | Buffer },
) {
  const asked: IncomingMessage[] = [];
  const { url, stop } = await serveHttp((request, response) => {
    asked.push(request);
    const { body, headers = {}, status = 200 } = answer(request);
    response.writeHead(status, headers).end(body);
  });
  closers.push(stop);
  return { asked, url };
}

let asks = 0;

/** One call at a provider, and what its evidence shows. */
async function collect(
  baseUrl: string,
  evidence: object,
  options: { model?: string; response?: Buffer; apiKey?: string; checkQuote?: CheckQuote; nowMs?: number } = {},
) {
  const warnings: unknown[] = [];
  const attestations: string[] = [];
  const collector = createEvidenceCollector({
    evidence: [{ ...providerEvidenceSchema.parse(evidence), provider: 'p' }],
    providers: [{ name: 'p', baseUrl, ...(options.apiKey !== undefined && { apiKey: options.apiKey }) }],
    ledger: { putAttestation: ({ body }) => Promise.resolve(void attestations.push(body)) },
    checkQuote: options.checkQuote ?? checkQuote,
    clock: { nowMs: () => options.nowMs ?? Date.now() },
    log: { warn: (what: unknown) => void warnings.push(what), error: (what: unknown) => void warnings.push(what) },
  });
  const model = options.model ?? 'sim-small';
  const ask = async () => {
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: `Hi ${(asks += 1)}` }] });
    const sent = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body });
    const response = options.response ?? Buffer.from(await sent.arrayBuffer());
    const deployment = { id: 'p@local', provider: 'p', model };
    const found = await collector?.planFor(deployment)?.collect({
      ...{ callId: '0198f0a0-0000-7000-8000-000000000001', deployment, isClientsRequest: true, stream: false },
      ...{ requestDigest: sha256Hex(Buffer.from(body)), completionTokens: 3 },
      ...{ response, responseDigest: sha256Hex(response) },
    });
    const document = found?.stored ? (JSON.parse(found.stored.body) as EvidenceDocument) : null;
    return { tier: found?.tier, document, attestation: found?.stored?.attestation };
  };
  return { ask, attestations, collector, warnings };
}

const signing = { kind: 'signature', keys: [address], timeoutMs: 400 };
const reportOf = (machine: ForgedMachine, extra: object) => {
  return ({ nonce, signingAddress }: { nonce: string; signingAddress: string }) => {
    const reportData = Buffer.concat([
      Buffer.from(signingAddress.slice(2), 'hex'),
      Buffer.alloc(12),
      Buffer.from(nonce, 'hex'),
    ]);
    return { intel_quote: machine.quote(reportData).toString('hex'), ...extra };
  };
};

test('nothing is collected where nothing is configured', async () => {
  const { collector } = await collect(await startProvider(), signing);
  expect(collector?.planFor({ id: 'q@local', provider: 'q', model: 'm' })).toBeUndefined();
  const options = { evidence: [], providers: [], ledger: { putAttestation: () => Promise.resolve() }, checkQuote };
  const log = { warn: () => undefined, error: () => undefined };
  expect(createEvidenceCollector({ ...options, log, clock: { nowMs: () => 0 } })).toBeUndefined();
});

test('a provider that hangs costs its time-out, and no more', async () => {
  const { ask, warnings } = await collect(await startProvider(), signing, { model: 'sim-small?evidence=hang' });
  const startedMs = performance.now();
  expect(await ask()).toMatchObject({
    tier: 'relay-signed',
    document: { fault: 'the provider did not answer in time' },
  });
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(warnings).toHaveLength(1);
});

test.each([
  ['an answer without an id', Buffer.from('{}'), 'the answer has no id'],
  ['an answer that is no JSON', Buffer.from('no'), 'the answer has no id'],
])('%s is relay-signed', async (_, response, fault) => {
  const { ask } = await collect(await startProvider(), signing, { response });
  const { document, tier } = await ask();
  expect([tier, document?.fault]).toEqual(['relay-signed', expect.stringContaining(fault)]);
});

test('of a stream only its name is kept, or its proof, however long it is', async () => {
  const filler = Array<string>(600).fill(`data: {"choices":["${'x'.repeat(10_000)}"]}\n\n`);
  const proof = `data: ${JSON.stringify({ commitment: {}, proof_bundle: { output_token_ids: [], beacon: '' } })}\n\n`;
  const pieces = ['data: {"id":"chat', 'cmpl-1"}\n\n', ...filler, proof, 'data: [DONE]\n\n'];
  const baseUrl = await startProvider();
  const keptBy = async (evidence: object) => {
    const { collector } = await collect(baseUrl, evidence);
    const keep = collector?.planFor({ id: 'p@local', provider: 'p', model: 'm' })?.keep ?? null;
    const tap = tapExchange(makeResponse(pieces), keep);
    for await (const piece of tap.response.body) expect(piece.length).toBeGreaterThan(0);
    return tap.take();
  };
  const [head, tail] = [await keptBy(signing), await keptBy({ kind: 'verathos' })];
  expect(head.length).toBeLessThan(50_000);
  expect(readAnswerId(readValues(head, { stream: true }))).toBe('chatcmpl-1');
  expect(tail.length).toBeLessThan(1_600_000);
  expect(readProof(readValues(tail, { stream: true }))).not.toBeNull();
});

test('answers of a signature server that cannot be read are told, without their text', async () => {
  const hostile = [
    { body: 'x'.repeat(100_000) },
    { body: '{"text":1}' },
    { body: '', status: 302, headers: { location: 'http://127.0.0.1:9/' } },
    { body: '<secret>', status: 500 },
    { body: 'secret' },
  ];
  for (const answer of hostile) {
    const { url } = await startServer(() => answer);
    const { ask } = await collect(await startProvider(), { ...signing, url });
    const { document, tier } = await ask();
    expect([tier, document?.fault]).toEqual(['relay-signed', expect.not.stringContaining('secret')]);
  }
});

test('the provider’s key goes to its own origin only', async () => {
  const { asked, url } = await startServer(() => ({ body: '{}', status: 403 }));
  const own = await collect(url, signing, { apiKey: 'secret', response: Buffer.from('{"id":"a"}') });
  await own.ask();
  const other = await collect(await startProvider(), { ...signing, url }, { apiKey: 'secret' });
  await other.ask();
  const signatures = asked.filter((request) => request.url?.includes('/signature/'));
  expect(signatures.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', undefined]);
});

test('a quote is asked for once for the answers of one key, however many there are, and stored once', async () => {
  const machine = forgeMachine();
  let reports = 0;
  const report = (ask: { nonce: string; signingAddress: string }) => {
    reports += 1;
    return reportOf(machine, { quote_collateral: machine.collateral })(ask);
  };
  const tee = { kind: 'tee', measurements: [{ mrTd: machine.mrTd }], rootCa: machine.rootPem };
  const { ask, attestations } = await collect(await startProvider({ report }), tee);
  const found = await Promise.all([ask(), ask(), ask()]);
  found.push(await ask());
  expect(found.map(({ tier }) => tier)).toEqual(Array<string>(4).fill('tee-attested'));
  expect([reports, attestations.length]).toEqual([1, 1]);
  expect(new Set(found.map(({ attestation }) => attestation))).toEqual(
    new Set([sha256Hex(Buffer.from(attestations[0] ?? ''))]),
  );
  // The document names it, and does not repeat it.
  expect(found[0]?.document?.attestation).toBeNull();
});

test('Intel’s collateral is had from PCCS', async () => {
  const machine = forgeMachine();
  const { collateral } = machine;
  const issuers = encodeURIComponent(collateral.tcb_info_issuer_chain);
  const answers: Record<string, { headers: Record<string, string>; body: string | Buffer }> = {
    pckcrl: {
      headers: { 'SGX-PCK-CRL-Issuer-Chain': encodeURIComponent(collateral.pck_crl_issuer_chain) },
      body: Buffer.from(collateral.pck_crl, 'hex'),
    },
    tcb: {
      headers: { 'TCB-Info-Issuer-Chain': issuers },
      body: `{"tcbInfo":${collateral.tcb_info},"signature":"${collateral.tcb_info_signature}"}`,
    },
    identity: {
      headers: { 'SGX-Enclave-Identity-Issuer-Chain': issuers },
      body: `{"enclaveIdentity":${collateral.qe_identity},"signature":"${collateral.qe_identity_signature}"}`,
    },
    rootcacrl: { headers: {}, body: collateral.root_ca_crl },
  };
  const pccs = await startServer(
    ({ url = '' }) => answers[/(\w+)(?:\?.*)?$/.exec(url)?.[1] ?? ''] ?? { status: 404, body: '' },
  );
  const tee = { kind: 'tee', measurements: [{ mrTd: machine.mrTd }], rootCa: machine.rootPem };
  const provider = await startProvider({ report: reportOf(machine, {}) });
  expect((await (await collect(provider, { ...tee, pccsUrl: pccs.url })).ask()).tier).toBe('tee-attested');
  const silent = await startServer(() => ({ status: 500, body: '' }));
  const failed = await (await collect(provider, { ...tee, pccsUrl: `${silent.url}/secret` })).ask();
  expect([failed.tier, failed.document?.fault]).toEqual(['relay-signed', 'PCCS gives no collateral of the quote']);
  const without = await (await collect(provider, tee)).ask();
  expect([without.tier, without.document?.fault]).toEqual(['relay-signed', expect.stringContaining('pccsUrl')]);
});

test('where many machines answer for one model, the report of the one that signed counts', async () => {
  const machine = forgeMachine();
  const report = (ask: { nonce: string; signingAddress: string }) => ({
    model_attestations: [
      { signing_address: '0x00', intel_quote: '00' },
      {
        signing_address: ask.signingAddress.toUpperCase().replace('0X', '0x'),
        ...reportOf(machine, { quote_collateral: machine.collateral })(ask),
      },
    ],
  });
  const tee = { kind: 'tee', measurements: [{ mrTd: machine.mrTd }], rootCa: machine.rootPem };
  expect((await (await collect(await startProvider({ report }), tee)).ask()).tier).toBe('tee-attested');
});

test('a genuine quote of a real machine that is not the provider’s shows nothing of its answers', async () => {
  const { collateral, goodAtMs, quote } = readRecordedQuote('tdx');
  const report = () => ({ intel_quote: quote.toString('hex'), quote_collateral: collateral });
  const mrTd = quote.subarray(48 + 136, 48 + 184).toString('hex');
  // No rootCa: Intel's.
  const tee = { kind: 'tee', measurements: [{ mrTd }] };
  const { document, tier } = await (await collect(await startProvider({ report }), tee, { nowMs: goodAtMs })).ask();
  expect(tier).toBe('relay-signed');
  const results = (document?.judged.checks ?? []).map(({ name, result }) => [name, result]);
  expect(Object.fromEntries(results)).toMatchObject({
    ...{ signature: 'holds', quote: 'holds', platform: 'holds', measurements: 'holds' },
    ...{ 'bound key': 'fails', nonce: 'fails' },
  });
  const today = await (await collect(await startProvider({ report }), tee)).ask();
  expect(today.document?.fault).toMatch(
    /^The quote is not genuine: a revocation list is out of date: it was good from /,
  );
});

test.each<[string, CheckQuote, string]>([
  ['hangs', () => new Promise<never>(() => undefined), 'the provider did not answer in time'],
  [
    'dies',
    () => Promise.reject(new AutoPayError('internal_error', 'The quote could not be checked.')),
    'The quote could not be checked.',
  ],
])('where what checks quotes %s, the tier is lower, and the answer is there in time', async (_, checkQuote, fault) => {
  const machine = forgeMachine();
  const report = reportOf(machine, { quote_collateral: machine.collateral });
  const tee = { kind: 'tee', measurements: [{ mrTd: machine.mrTd }], rootCa: machine.rootPem, timeoutMs: 400 };
  const { ask, attestations } = await collect(await startProvider({ report }), tee, { checkQuote });
  const startedMs = performance.now();
  const { document, tier } = await ask();
  expect([tier, document?.fault, attestations]).toEqual(['relay-signed', fault, []]);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
