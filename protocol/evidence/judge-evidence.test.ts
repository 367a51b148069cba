import { beforeAll, expect, test } from 'vitest';
import { forgeMachine, type ForgedMachine, type ForgeOptions } from '../../test/support/forge-quote.ts';
import { ed25519KeyOf } from '../bytes/ed25519.ts';
import { toHex, type Hex } from '../bytes/hex.ts';
import { addressOfPrivateKey, signDigest } from '../bytes/secp256k1.ts';
import { evidenceDocumentSchema, parseEvidence, type EvidenceFacts } from './evidence-document.ts';
import { judgeEvidence, type EvidenceContext, type EvidenceTerms } from './judge-evidence.ts';
import { personalMessageDigest, sha256, sha256Hex } from './provider-signature.ts';
import { beaconOf, outputCommitmentOf } from './verathos-commitment.ts';

const callId = '0198f0a0-0000-7000-8000-000000000001';
const request = Buffer.from('{"model":"m"}');
const response = Buffer.from('{"id":"a","choices":[]}');
const exchange = {
  ...{ requestDigest: sha256Hex(request), responseDigest: sha256Hex(response) },
  ...{ isClientsRequest: true, stream: false },
};
const text = Buffer.from(`${sha256(request).toString('hex')}:${sha256(response).toString('hex')}`);
const privateKey = Buffer.alloc(32, 1);
const address = addressOfPrivateKey(privateKey);
const edKey = ed25519KeyOf(Buffer.alloc(32, 2));
const bare: EvidenceFacts = {
  ...{ version: 1, callId, kind: 'signature', collectedAtMs: Date.now(), exchange },
  ...{ fault: null, signature: null, attestation: null, verathos: null },
};
const nobody: EvidenceTerms = { keys: [], measurements: [] };
const pinned: EvidenceTerms = { ...nobody, keys: [address] };

function byAddress(changes: { text?: Buffer; key?: Buffer; signer?: Hex; kind?: string } = {}) {
  const { key = privateKey, kind = null, text: signed = text } = changes;
  const signature = toHex(signDigest(personalMessageDigest(signed), key));
  const signer = changes.signer ?? addressOfPrivateKey(key);
  return { algorithm: 'ecdsa' as const, signer, text: signed.toString('base64'), signature, kind };
}

const judge = async (facts: EvidenceFacts, terms: EvidenceTerms, context: EvidenceContext = {}) => {
  const { checks, tier } = await judgeEvidence(facts, terms, context);
  const named = (result: string) => checks.filter((check) => check.result === result).map(({ name }) => name);
  return { tier, fails: named('fails'), unchecked: named('unchecked') };
};

test('a signature of exactly these bytes by a trusted key is the provider’s, by EIP-191 and by Ed25519', async () => {
  const signature = byAddress();
  expect(await judge({ ...bare, signature }, pinned)).toEqual({ tier: 'provider-signed', fails: [], unchecked: [] });
  const withModel = byAddress({ text: Buffer.concat([Buffer.from('model:'), text]) });
  expect((await judge({ ...bare, signature: withModel }, pinned)).tier).toBe('provider-signed');
  const ed25519 = {
    ...{ algorithm: 'ed25519' as const, signer: toHex(edKey.publicKey), text: text.toString('base64'), kind: null },
    signature: toHex(edKey.sign(text)),
  };
  const keys = [`ed25519:${edKey.publicKey.toString('hex')}` as const];
  expect((await judge({ ...bare, signature: ed25519 }, { ...nobody, keys })).tier).toBe('provider-signed');
  expect(await judge({ ...bare, signature: ed25519 }, pinned)).toMatchObject({
    tier: 'relay-signed',
    fails: ['signer'],
  });
});

test.each<[string, Partial<EvidenceFacts>, EvidenceTerms, string[]]>([
  ['no signature', { fault: 'it was answered with 404' }, pinned, ['evidence']],
  ['a key that nobody trusts', { signature: byAddress({ key: Buffer.alloc(32, 9) }) }, pinned, ['signer']],
  ['a key that the answer brings itself', { signature: byAddress() }, nobody, ['signer']],
  [
    'another’s signature under a trusted name',
    { signature: byAddress({ key: Buffer.alloc(32, 9), signer: address }) },
    pinned,
    ['signature'],
  ],
  [
    'a text about other bytes',
    { signature: byAddress({ text: Buffer.from(text.toString().replace(/.$/, 'x')) }) },
    pinned,
    ['signed text'],
  ],
  [
    'a text in the wrong order',
    { signature: byAddress({ text: Buffer.from(text.toString().split(':').reverse().join(':')) }) },
    pinned,
    ['signed text'],
  ],
  [
    'one byte of the answer differs',
    { signature: byAddress(), exchange: { ...exchange, responseDigest: sha256Hex(Buffer.from('{}')) } },
    pinned,
    ['signed text'],
  ],
])('%s is relay-signed, and shows', async (_, facts, terms, fails) => {
  expect(await judge({ ...bare, ...facts }, terms)).toMatchObject({ tier: 'relay-signed', fails });
});

test('no bit of a signature may differ', async () => {
  const signature = byAddress();
  for (let bit = 0; bit < 64 * 8; bit += 37) {
    const bytes = Buffer.from(signature.signature.slice(2), 'hex');
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const { tier } = await judge({ ...bare, signature: { ...signature, signature: toHex(bytes) } }, pinned);
    expect(tier, `bit ${bit}`).toBe('relay-signed');
  }
});

test('who has the bytes compares them; what went out changed, or came as a stream, is said to be unchecked', async () => {
  const facts = { ...bare, signature: byAddress() };
  const bytes = { requestBytes: request, responseBytes: response };
  expect(await judge(facts, pinned, bytes)).toEqual({ tier: 'provider-signed', fails: [], unchecked: [] });
  const other = await judge(facts, pinned, { ...bytes, responseBytes: Buffer.from('{}') });
  expect(other).toMatchObject({ tier: 'relay-signed', fails: ['response'] });
  const changed = { ...facts, exchange: { ...exchange, isClientsRequest: false, stream: true } };
  expect(await judge(changed, pinned, { requestBytes: Buffer.from('x'), responseBytes: Buffer.from('y') })).toEqual({
    ...{ tier: 'provider-signed', fails: [], unchecked: ['request', 'response'] },
  });
});

const usage = {
  prompt: 1,
  completion: 3,
  cachedPrompt: 0,
  cacheWrite: 0,
  audioPrompt: 0,
  reasoning: 0,
  audioCompletion: 0,
};
const receipt = { callId, chargedAtMs: Date.now(), evidenceTier: 'provider-signed', usage } as const;

test('a receipt that says more than the evidence shows is caught, as is evidence of another call', async () => {
  const facts = { ...bare, signature: byAddress() };
  expect(await judge(facts, pinned, { receipt })).toMatchObject({ tier: 'provider-signed', fails: [] });
  expect(await judge(facts, nobody, { receipt })).toMatchObject({ tier: 'relay-signed', fails: ['signer', 'receipt'] });
  const another = { receipt: { ...receipt, callId: callId.replace(/1$/, '2') } };
  expect(await judge(facts, pinned, another)).toMatchObject({ tier: 'relay-signed', fails: ['call', 'receipt'] });
});

const nonce = Buffer.alloc(32, 7);
const bound = Buffer.concat([Buffer.from(address.slice(2), 'hex'), Buffer.alloc(12), nonce]);
let machine: ForgedMachine;
beforeAll(() => {
  machine = forgeMachine();
});

function attested(
  of: ForgedMachine,
  changes: { reportData?: Buffer; tlsFingerprint?: Hex; verifiedAtMs?: number } = {},
): EvidenceFacts {
  const { reportData = bound, tlsFingerprint = null, verifiedAtMs = Date.now() } = changes;
  const attestation = {
    ...{ quote: of.quote(reportData).toString('base64'), collateral: of.collateral, nonce: toHex(nonce) },
    ...{ tlsFingerprint, verifiedAtMs, hasNvidiaPayload: true },
  };
  return { ...bare, kind: 'tee', signature: byAddress(), attestation };
}
const trusting = (of: ForgedMachine): EvidenceTerms => ({
  ...{ keys: [], measurements: [{ mrTd: of.mrTd }], rootCaDer: of.rootDer },
});

test('a key that a genuine quote binds to trusted code makes its answers TEE-attested; the GPU’s part is not looked at', async () => {
  const verdict = await judge(attested(machine), trusting(machine), {
    receipt: { ...receipt, evidenceTier: 'tee-attested' },
  });
  expect(verdict).toEqual({ tier: 'tee-attested', fails: [], unchecked: ['gpu'] });
  const tlsFingerprint = toHex(Buffer.alloc(32, 8));
  const both = sha256(Buffer.from(address.slice(2), 'hex'), Buffer.alloc(32, 8));
  const withTls = attested(machine, { reportData: Buffer.concat([both, nonce]), tlsFingerprint });
  expect((await judge(withTls, trusting(machine))).tier).toBe('tee-attested');
});

test.each<[string, (of: ForgedMachine) => EvidenceFacts, Partial<EvidenceTerms>, string[]]>([
  ['no quote', (of) => ({ ...attested(of), attestation: null }), {}, ['quote']],
  [
    'a quote about another key',
    (of) => attested(of, { reportData: Buffer.concat([Buffer.alloc(32), nonce]) }),
    {},
    ['bound key'],
  ],
  [
    'an old quote for a new question',
    (of) => attested(of, { reportData: Buffer.concat([bound.subarray(0, 32), Buffer.alloc(32)]) }),
    {},
    ['nonce'],
  ],
  ['code that nobody trusts', attested, { measurements: [{ mrTd: '00'.repeat(48) }] }, ['measurements']],
  ['no code that is trusted at all', attested, { measurements: [] }, ['measurements']],
  ['another root', attested, { rootCaDer: undefined }, ['quote']],
  ['a gateway’s signature', (of) => ({ ...attested(of), signature: byAddress({ kind: 'gateway' }) }), {}, ['signer']],
])('%s is less, and shows: a trusted key still makes it the provider’s', async (_, facts, terms, fails) => {
  const own = { ...trusting(machine), ...terms };
  expect(await judge(facts(machine), own)).toMatchObject({ tier: 'relay-signed', fails });
  expect(await judge(facts(machine), { ...own, keys: [address] })).toMatchObject({ tier: 'provider-signed', fails });
});

test.each<[string, ForgeOptions, string]>([
  ['outdated', { tcbStatus: 'OutOfDate' }, 'platform'],
  ['revoked', { isRevoked: true }, 'quote'],
  ['in debug mode', { isDebug: true }, 'quote'],
])('a machine that is %s attests nothing', async (_, options, name) => {
  const bad = forgeMachine(options);
  expect(await judge(attested(bad), trusting(bad))).toMatchObject({ tier: 'relay-signed', fails: [name] });
});

test('an outdated platform is good enough for who says so; a quote of last week for nobody', async () => {
  const outdated = forgeMachine({ tcbStatus: 'OutOfDate' });
  const lenient = { ...trusting(outdated), tcbStatuses: ['UpToDate', 'OutOfDate'] };
  expect((await judge(attested(outdated), lenient)).tier).toBe('tee-attested');
  const old = attested(machine, { verifiedAtMs: receipt.chargedAtMs - 7 * 86_400_000 });
  const verdict = await judge(old, trusting(machine), { receipt: { ...receipt, evidenceTier: 'tee-attested' } });
  expect(verdict).toMatchObject({ tier: 'relay-signed', fails: ['age', 'receipt'] });
});

const outputTokenIds = [5, 6, 70_000];
const commitment = evidenceDocumentSchema.shape.verathos.unwrap().shape.commitment.parse({
  ...{ session_id: 's', model_id: 'm', model_commitment: 'aa', input_commitment: 'bb', layer_commitments: ['cc'] },
  ...{ output_commitment: outputCommitmentOf(outputTokenIds).toString('hex'), output_token_count: 3, timestamp: 1.25 },
});
const nonceHex = '0b'.repeat(16);
const beacon = beaconOf({ commitment, nonce: nonceHex }).toString('hex');
const verathos = { commitment, outputTokenIds, beacon, nonce: nonceHex };
const committed: EvidenceFacts = { ...bare, kind: 'verathos', verathos };

test('commitments that add up, for the tokens that are billed, are commitment-checked; the proof itself is not verified', async () => {
  const verdict = await judge(committed, nobody, { completionTokens: 3 });
  expect(verdict).toEqual({ tier: 'commitment-checked', fails: [], unchecked: ['text', 'proof'] });
});

test.each<[string, Partial<typeof verathos>, number, string]>([
  ['another token', { outputTokenIds: [5, 6, 70_001] }, 3, 'output commitment'],
  ['a token more', { outputTokenIds: [...outputTokenIds, 1] }, 4, 'token count'],
  ['another beacon', { beacon: '00'.repeat(32) }, 3, 'beacon'],
  ['another nonce', { nonce: '0c'.repeat(16) }, 3, 'beacon'],
  ['another commitment', { commitment: { ...commitment, model_id: 'n' } }, 3, 'beacon'],
  ['more tokens billed than committed to', {}, 4, 'billed tokens'],
])('%s is relay-signed', async (_, changes, completionTokens, name) => {
  const { fails, tier } = await judge({ ...committed, verathos: { ...verathos, ...changes } }, nobody, {
    completionTokens,
  });
  expect(tier).toBe('relay-signed');
  expect(fails).toContain(name);
});

test('a document is read as it was written, and nothing else is', () => {
  const document = { ...attested(machine), judged: { tier: 'tee-attested', checks: [] } };
  const json = JSON.stringify(document);
  expect(parseEvidence(json)).toEqual({
    ...document,
    attestation: { ...document.attestation, collateral: machine.collateral },
  });
  for (const wrong of [
    '',
    '{}',
    json.replace('"version":1', '"version":2'),
    json.replace('"nonce":"0x', '"nonce":"'),
    `${json.slice(0, -1)},"more":1}`,
  ]) {
    expect(() => parseEvidence(wrong)).toThrow('no evidence document');
  }
});
