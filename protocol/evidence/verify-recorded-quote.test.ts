import { describe, expect, test } from 'vitest';
import { flipBit } from '../../test/support/flip-bit.ts';
import { readRecordedQuote, type RecordedQuote } from '../../test/support/read-recorded-quote.ts';
import type { Collateral } from './evidence-document.ts';
import { verifyQuote } from './verify-quote.ts';

/*
 * Real machines' quotes, with what Intel signed of them, against Intel's own root: nothing of this was made for the test.
 */

const recorded = { sgx: readRecordedQuote('sgx'), tdx: readRecordedQuote('tdx') };

function verify(changes: Partial<RecordedQuote>, of: RecordedQuote) {
  const { collateral, goodAtMs, quote } = { ...of, ...changes };
  return verifyQuote({ quote: quote.toString('base64'), collateral, verifiedAtMs: goodAtMs });
}

describe('a recorded quote is genuine, and says what it is about', () => {
  test('TDX, on an up-to-date platform', async () => {
    const { measurements, reportData, ...rest } = await verify({}, recorded.tdx);
    expect(rest).toEqual({ kind: 'tdx', tcbStatus: 'UpToDate', advisoryIds: [] });
    expect(reportData.toString('hex')).toMatch(/^9a9d48e7f6799642.*2c2b523f20$/);
    expect(measurements).toMatchObject({
      mrTd: expect.stringMatching(/^91eb2b44d141d4ec/),
      rtMr0: expect.stringMatching(/^44c0197b39157fdd/),
      rtMr3: '00'.repeat(48),
    });
  });

  test('SGX, on a platform that Intel has advisories for: told as it is', async () => {
    const { measurements, reportData, ...rest } = await verify({}, recorded.sgx);
    expect(rest).toEqual({
      ...{ kind: 'sgx', tcbStatus: 'ConfigurationAndSWHardeningNeeded' },
      advisoryIds: ['INTEL-SA-00289', 'INTEL-SA-00615'],
    });
    expect(reportData.toString('utf8').replaceAll('\0', '')).toBe('Hello, world!');
    expect(measurements).toEqual({
      mrEnclave: expect.stringMatching(/^33d8736db756ed49/),
      mrSigner: expect.stringMatching(/^815f42f11cf64430/),
    });
  });
});

/**
 * Where the parts of a quote are: header 48 bytes, then the report, the length of what signs it, and that. Nothing vouches for the text
 * between certificates, the quote's copy of the root (Intel's own is used), and what fills a quote up at its end.
 */
function partsOf(kind: 'sgx' | 'tdx'): Record<string, number> {
  const reportBytes = kind === 'sgx' ? 384 : 584;
  const signature = 48 + reportBytes + 4;
  // Version 4 says of what kind the certification is, and how long.
  const enclave = signature + 128 + (kind === 'sgx' ? 0 : 6);
  return {
    ...{ version: 0, 'quoting enclave’s vendor': 12, 'user data': 30, 'security version': 48 },
    measurement: kind === 'sgx' ? 48 + 64 : 48 + 136,
    ...{ 'report data': 48 + reportBytes - 64, 'report data’s end': 48 + reportBytes - 1 },
    ...{ signature, 'signature’s end': signature + 63, 'attestation key': signature + 64 },
    ...{ 'quoting enclave’s report': enclave, 'its report data': enclave + 320, 'its signature': enclave + 384 },
    ...{ 'its authentication data': enclave + 384 + 64 + 2 },
    'platform’s certificate': enclave + 384 + 64 + 2 + 32 + 6 + 400,
  };
}

describe.each(['sgx', 'tdx'] as const)('%s', (kind) => {
  const one = recorded[kind];

  test.each(Object.entries(partsOf(kind)))('one wrong bit makes it false: %s', async (_, at) => {
    const refused = { code: 'verification_failed', message: expect.stringMatching(/^The quote is not genuine: /) };
    await expect(verify({ quote: flipBit(one.quote, at) }, one)).rejects.toMatchObject(refused);
  });

  test.each(Object.keys(one.collateral) as (keyof Collateral)[])(
    'one wrong character makes it false: %s',
    async (name) => {
      const text = one.collateral[name] ?? '';
      // Base64 and hexadecimal stay what they are; of JSON it is a digit or letter of a value.
      const at = text.length / 2 + text.slice(text.length / 2).search(/[0-8a-e]/);
      const other = String.fromCharCode(text.charCodeAt(at) + 1);
      const collateral = { ...one.collateral, [name]: `${text.slice(0, at)}${other}${text.slice(at + 1)}` };
      await expect(verify({ collateral }, one)).rejects.toMatchObject({ code: 'verification_failed' });
    },
  );

  test('collateral of another kind of machine does not fit', async () => {
    const { collateral } = recorded[kind === 'sgx' ? 'tdx' : 'sgx'];
    await expect(verify({ collateral }, one)).rejects.toMatchObject({ code: 'verification_failed' });
  });

  test.each([
    ['today', Date.now(), /from 2025-03-20T11:21:57.000Z until 2026-04-03T11:21:57.000Z\.$/],
    ['a day after', Date.UTC(2025, 6, 20), /from 2025-06-19T\S+ until 2025-07-19T\S+\.$/],
    ['a day before', Date.UTC(2025, 5, 18), /from 2025-06-19T\S+ until 2025-07-19T\S+\.$/],
  ])('its collateral is out of date %s, and that is said', async (_, goodAtMs, times) => {
    const refused = expect(verify({ goodAtMs }, one)).rejects;
    await refused.toThrow('a revocation list is out of date: it was good');
    await refused.toThrow(times);
  });
});
