import { cp, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBodyStore } from '../../client/audit/body-store.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import { startSidecar } from '../../client/sidecar.ts';
import { doubleTerms, startRelayDouble, type RelayDouble } from '../../client/testing/relay-double.ts';
import { seedWallet, walletKey } from '../../client/testing/seed-wallet.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { formatDisclosure, maxDisclosureBytes, parseDisclosure } from '../../protocol/receipt/disclosure.ts';
import { decodeSignedReceipt, encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { flipBit } from '../../test/support/flip-bit.ts';
import type { CommandContext } from '../command-context.ts';
import { readStack } from '../read-stack.ts';
import { runAuditCheck } from './audit-check.ts';
import { runAuditOpen, type AuditOpenOptions } from './audit-open.ts';

// With a real relay, a chain and the log: test/e2e/audit-verify.test.ts.
let dataDir: string;
let stateDir: string;
let double: RelayDouble;
/** Two answers, a stream, and a call whose receipt commits to another request. */
let calls: [StoredReceipt, StoredReceipt, StoredReceipt, StoredReceipt];
let printed: { json: unknown; text: string };
let context: CommandContext;

const requestOf = (content: string, stream = false) =>
  JSON.stringify({ model: 'paid', ...(stream && { stream }), messages: [{ role: 'user', content }] });
const requests = ['Is the merger on?', 'When?', 'Who knows?'].map((text, at) => requestOf(text, at === 2));
const { relay: signer } = doubleTerms;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-open-'));
  stateDir = join(dataDir, 'client');
  double = await startRelayDouble();
  const seeded = await seedWallet(double);
  await cp(seeded.stateDir, stateDir, { recursive: true });
  await seeded.remove();
  const receipts: StoredReceipt[] = [];
  const sidecar = await startSidecar({
    ...{ relayUrl: double.url, privateKey: walletKey, stateDir, port: 0, keepBodies: { days: 1 } },
    onReceipt: (receipt) => receipts.push(receipt),
    onWarning: () => undefined,
  });
  const call = async (body: string) => {
    const headers = { 'content-type': 'application/json' };
    await (await fetch(`${sidecar.url}/v1/chat/completions`, { method: 'POST', headers, body })).text();
  };
  for (const body of requests) await call(body);
  double.mischief.changeReceipt = (honest) => ({ ...honest, requestCommitment: `0x${'5a'.repeat(32)}` });
  await call(requestOf('Another'));
  await sidecar.close();
  expect(receipts.map(({ problems }) => problems.length)).toEqual([0, 0, 0, 1]);
  calls = receipts as typeof calls;
  context = {
    ...{ isJson: false, dataDir, stack: () => readStack(dataDir) },
    print: (result) => (printed = result),
  };
});
afterAll(async () => {
  await double.close();
  await rm(dataDir, { recursive: true, force: true });
});
beforeEach(() => {
  printed = { json: undefined, text: '' };
});

const file = () => join(dataDir, 'disclosure.json');

/** The text of a disclosure. */
async function open(options: Partial<AuditOpenOptions> = {}): Promise<string> {
  await runAuditOpen(context, { callId: calls[0].callId, output: file(), ...options });
  return readFile(file(), 'utf8');
}

/** What `audit check` makes of a text. */
async function check(text: string): Promise<boolean> {
  await writeFile(file(), text);
  return runAuditCheck(context, { file: file(), signer });
}

/** The same, where a text that is no disclosure at all counts as one that does not hold. */
async function holds(text: string): Promise<boolean> {
  try {
    return await check(text);
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^invalid_(encoding|json)$/) });
    return false;
  }
}

/** A disclosure with some members changed. */
const changed = (text: string, changes: object) => JSON.stringify({ ...(JSON.parse(text) as object), ...changes });

const claims = () => {
  const { claims: all } = printed.json as { claims: { name: string; ok: boolean | null }[] };
  return Object.fromEntries(all.map(({ name, ok }) => [name, ok]));
};

describe('what a sidecar kept', () => {
  it('is the exact bytes of each call, for their owner alone', async () => {
    for (const [at, { callId }] of calls.slice(0, 3).entries()) {
      const path = join(stateDir, 'bodies', `${callId}.request`);
      expect(await readFile(path, 'utf8')).toBe(requests[at]);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(stateDir, 'bodies'))).mode & 0o777).toBe(0o700);
  });

  it.each(['an answer', 'a stream'])('opens %s, request and response apart or together', async (kind) => {
    const { callId } = kind === 'an answer' ? calls[1] : calls[2];
    expect(await check(await open({ callId, request: true }))).toBe(true);
    expect(claims()).toEqual({ codec: true, opens_request: true, relay_signed: true });
    expect(printed.text).toContain(kind === 'an answer' ? 'When?' : 'Who knows?');
    expect(await check(await open({ callId, response: true }))).toBe(true);
    expect(claims()).toEqual({ codec: true, opens_response: true, relay_signed: true });
    expect(printed.text).not.toMatch(/When\?|Who knows\?/);
    const both = await open({ callId, request: true, response: true });
    expect(await check(both)).toBe(true);
    const [request, response] = [requests[kind === 'an answer' ? 1 : 2] ?? '', parseDisclosure(both).parts.response];
    expect(printed.json).toMatchObject({
      request: Buffer.from(request).toString('base64'),
      response: Buffer.from(response?.bytes ?? []).toString('base64'),
    });
    expect(Buffer.from(response?.bytes ?? []).toString()).toContain(kind === 'an answer' ? 'hello' : 'data: ');
  });

  it('is not opened where it is not what the receipt commits to', async () => {
    const options = { callId: calls[3].callId, request: true };
    await expect(open(options)).rejects.toMatchObject({ code: 'verification_failed' });
    // Its answer is what was committed to.
    expect(await check(await open({ callId: calls[3].callId, response: true }))).toBe(true);
  });
});

describe('autopay audit open', () => {
  it('takes the last call, prints without --output, and says who can check it with --output', async () => {
    await runAuditOpen(context, { callId: 'last', response: true });
    expect(parseDisclosure(printed.text).parts.request).toBeUndefined();
    expect(JSON.parse(printed.text)).toEqual(printed.json);
    await open({ request: true });
    expect(printed.text).toContain(`autopay audit check ${file()}`);
    expect(printed.json).toEqual({ callId: calls[0].callId, opened: ['request'], output: file() });
  });

  it('takes the bytes of a file, which have to be the ones', async () => {
    const body = join(dataDir, 'body');
    await writeFile(body, requests[0] ?? '');
    expect(await check(await open({ requestFile: body }))).toBe(true);
    for (const [at, other] of [requests[1], `${requests[0]}\n`, ''].entries()) {
      await writeFile(body, other ?? '');
      await expect(open({ requestFile: body }), String(at)).rejects.toMatchObject({ code: 'verification_failed' });
    }
    // Of the two parts, neither opens the other.
    await writeFile(body, requests[0] ?? '');
    await expect(open({ responseFile: body })).rejects.toThrow('not the bytes of the response');
  });

  it('says what is wrong with what it is given', async () => {
    await expect(open()).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('--request, --response, or both'),
    });
    for (const callId of ['nonsense', createCallId(), '../../etc/passwd']) {
      await expect(open({ callId, request: true })).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining(`no receipt of call ${callId}`),
      });
    }
    await expect(open({ requestFile: join(dataDir, 'not-there') })).rejects.toThrow('cannot be read');
    await expect(open({ requestFile: dataDir })).rejects.toThrow('cannot be read');
  });

  it('opens nothing of a receipt whose salts are lost, or whose bytes were not kept', async () => {
    const signed = decodeSignedReceipt(calls[0].receipt);
    const bare = { ...signed, requestSalt: Buffer.alloc(32), responseSalt: Buffer.alloc(32) };
    const other = join(dataDir, 'other');
    const elsewhere = { ...context, dataDir: other };
    const store = openReceiptStore(join(other, 'client'));
    await store.append({ ...calls[0], receipt: encodeSignedReceipt(bare) });
    const options = { callId: calls[0].callId, request: true };
    await expect(runAuditOpen(elsewhere, options)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/did not keep the request.*--request-file.*--keep-bodies/),
    });
    await openBodyStore(join(other, 'client'), { days: 1, mebibytes: 1 }).save(calls[0].callId, {
      request: Buffer.from(requests[0] ?? ''),
    });
    await expect(runAuditOpen(elsewhere, options)).rejects.toMatchObject({ code: 'verification_failed' });
  });
});

describe('autopay audit check', () => {
  it('finds a bit that was flipped, wherever: what still holds says the very same', async () => {
    const text = await open({ request: true });
    const bytes = Buffer.from(text);
    // Every sixth byte, in one of its bits; each bit of receipts and bodies is flipped where their codecs are tested.
    for (let place = 0; place < bytes.length; place += 6) {
      const changedText = flipBit(bytes, place, 1 << ((place / 6) % 7)).toString('latin1');
      // Hexadecimal digits may be in capitals.
      if (await holds(changedText)) expect(formatDisclosure(parseDisclosure(changedText))).toBe(text);
    }
  });

  it('finds the receipt, the salt and the bytes of another call', async () => {
    const [one, two] = [await open({ request: true }), await open({ callId: calls[1].callId, request: true })];
    const other = JSON.parse(two) as { receipt: string; request: { salt: string; bytes: string } };
    const { request } = JSON.parse(one) as { request: { salt: string; bytes: string } };
    expect(await check(changed(one, { receipt: other.receipt }))).toBe(false);
    expect(claims()).toEqual({ codec: true, opens_request: false, relay_signed: true });
    expect(printed.text).not.toContain('Is the merger on?');
    expect(await check(changed(one, { request: { ...request, salt: other.request.salt } }))).toBe(false);
    expect(await check(changed(one, { request: { ...request, bytes: other.request.bytes } }))).toBe(false);
    // The request is not passed for the answer either.
    const { response } = JSON.parse(await open({ response: true })) as { response: object };
    expect(await check(changed(one, { request: response }))).toBe(false);
    expect(claims()).toMatchObject({ opens_request: false });
    expect(await check(changed(one, { request: undefined, response: request }))).toBe(false);
    expect(claims()).toMatchObject({ opens_response: false });
  });

  it('finds a salt that is missing, and a disclosure that opens nothing', async () => {
    const text = await open({ request: true });
    const { request } = JSON.parse(text) as { request: { salt: string; bytes: string } };
    for (const salt of [undefined, null, '', '0x', request.salt.slice(0, -2), `${request.salt}00`]) {
      await expect(check(changed(text, { request: { ...request, salt } }))).rejects.toMatchObject({
        code: 'invalid_encoding',
        message: expect.stringContaining('salt'),
      });
    }
    expect(await check(changed(text, { request: { ...request, salt: `0x${'00'.repeat(32)}` } }))).toBe(false);
    expect(await check(changed(text, { request: undefined }))).toBe(false);
    expect(printed.text).toContain('opens nothing');
  });

  it('knows a relay by its key only, for its own chain and contract', async () => {
    const text = await open({ request: true });
    expect(await runAuditCheck(context, { file: file(), signer: `0x${'12'.repeat(20)}` })).toBe(false);
    expect(claims()).toMatchObject({ relay_signed: false });
    expect(await runAuditCheck(context, { file: file() })).toBe(false);
    expect(claims()).toMatchObject({ relay_signed: null });
    expect(await check(changed(text, { chainId: 1 }))).toBe(false);
    expect(await check(changed(text, { autoPayLLM: `0x${'12'.repeat(20)}` }))).toBe(false);
    // An address may be written in capitals.
    expect(await check(text)).toBe(true);
    expect(await runAuditCheck(context, { file: file(), signer: `0x${signer.slice(2).toUpperCase()}` })).toBe(true);
  });

  it('says what is no disclosure', async () => {
    const text = await open({ request: true });
    const { request } = JSON.parse(text) as { request: object };
    const texts = [
      ...['', 'hello', '[]', 'null', '{}', text.slice(0, -3), `${text}x`],
      ...[{ kind: 'receipt' }, { version: 2 }, { chainId: 0 }, { chainId: '31337' }, { autoPayLLM: 'me' }].map(
        (change) => changed(text, change),
      ),
      ...[{ receipt: '' }, { receipt: 'AAAA' }, { receipt: 7 }, { extra: 1 }].map((change) => changed(text, change)),
      ...['a', 'YQ', 'YR==', 'YQ==\n', 7].map((bytes) => changed(text, { request: { ...request, bytes } })),
    ];
    for (const one of texts) expect(await holds(one), one.slice(0, 80)).toBe(false);
    await rm(file());
    await expect(runAuditCheck(context, { file: file(), signer })).rejects.toMatchObject({ code: 'invalid_argument' });
    await mkdir(file());
    await expect(runAuditCheck(context, { file: file(), signer })).rejects.toMatchObject({ code: 'invalid_argument' });
    await rm(file(), { recursive: true });
    await writeFile(file(), '');
    await truncate(file(), maxDisclosureBytes + 1);
    await expect(runAuditCheck(context, { file: file(), signer })).rejects.toThrow('longer than 100000000 bytes');
    await expect(runAuditCheck(context, { file: file(), signer: '0x12' })).rejects.toThrow('--signer takes an address');
  });
});
