import { afterEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { attestationSchema } from '../../protocol/evidence/evidence-document.ts';
import { flipBit } from '../../test/support/flip-bit.ts';
import { readRecordedQuote, type RecordedQuote } from '../../test/support/read-recorded-quote.ts';
import { serveHttp } from '../../test/support/serve-http.ts';
import { checkQuote } from './check-quote.ts';
import { AttestationKeeper } from './keep-attestations.ts';

/*
 * The relay's own path, from a provider's report to what is stored, with quotes of real machines and against Intel's root: no `rootCa`.
 */

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const signer = addressOfPrivateKey(Buffer.alloc(32, 0x44));

/** A relay that is told this quote as a report, at the time. */
async function keep({ collateral, goodAtMs, quote }: RecordedQuote) {
  const report = { intel_quote: quote.toString('hex'), quote_collateral: JSON.stringify(collateral) };
  const { url, stop } = await serveHttp((_, response) => response.end(JSON.stringify(report)));
  closers.push(stop);
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
  ['with one wrong bit', { quote: flipBit(readRecordedQuote('tdx').quote, 600) }, 'signature'],
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
