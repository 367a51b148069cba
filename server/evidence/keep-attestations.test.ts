import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { attestationSchema } from '../../protocol/evidence/evidence-document.ts';
import { readRecordedQuote, type RecordedQuote } from '../../test/support/read-recorded-quote.ts';
import { checkQuote } from './check-quote.ts';
import { AttestationKeeper } from './keep-attestations.ts';

/*
 * The relay's own path, from a provider's report to what is stored, with quotes of real machines and against Intel's root: no `rootCa`.
 */

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

async function serve(body: unknown): Promise<string> {
  const server = createServer((_, response) => response.end(JSON.stringify(body))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const signer = addressOfPrivateKey(Buffer.alloc(32, 0x44));

/** A relay that is told this quote as a report, at the time. */
async function keep({ collateral, goodAtMs, quote }: RecordedQuote) {
  const url = await serve({ intel_quote: quote.toString('hex'), quote_collateral: JSON.stringify(collateral) });
  const stored: string[] = [];
  const keeper = new AttestationKeeper({
    ledger: { putAttestation: ({ body }) => Promise.resolve(void stored.push(body)) },
    ...{ checkQuote, keepMs: 60_000, nowMs: () => goodAtMs },
  });
  return { stored, found: keeper.find({ url, model: 'm', algorithm: 'ecdsa', signer, timeoutMs: 10_000 }) };
}

test.each([
  ['tdx', 'UpToDate', []],
  ['sgx', 'ConfigurationAndSWHardeningNeeded', ['INTEL-SA-00289', 'INTEL-SA-00615']],
] as const)('a recorded %s quote is kept, with the state of its platform', async (kind, tcbStatus, advisoryIds) => {
  const { found, stored } = await keep(readRecordedQuote(kind));
  expect((await found).quote).toMatchObject({ kind, tcbStatus, advisoryIds });
  expect(stored.map((body) => attestationSchema.parse(JSON.parse(body)))).toEqual([(await found).attestation]);
});

test.each([
  ['with one wrong bit', { quote: flipped(readRecordedQuote('tdx').quote) }, 'signature'],
  ['whose collateral is out of date', { goodAtMs: Date.now() }, 'a revocation list is out of date: it was good from'],
  ['with the collateral of another machine', { collateral: readRecordedQuote('sgx').collateral }, 'not genuine'],
])('a recorded quote %s is not, and it is said why', async (_, changes, reason) => {
  const { found, stored } = await keep({ ...readRecordedQuote('tdx'), ...changes });
  await expect(found).rejects.toMatchObject({
    code: 'verification_failed',
    message: expect.stringContaining(reason),
  });
  expect(stored).toEqual([]);
});

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(600) ^ 1, 600);
  return changed;
}
