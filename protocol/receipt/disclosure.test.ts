import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../bytes/hex.ts';
import { receiptOfVector, readVectors } from '../vectors/read-vectors.ts';
import { commit, createSalt, type CommitmentSubject } from './commitments.ts';
import { createDisclosure, formatDisclosure, opens, parseDisclosure } from './disclosure.ts';
import { encodeReceipt } from './encode-receipt.ts';
import { encodeSignedReceipt, type SignedReceipt } from './signed-receipt.ts';

const { receipts, scope } = readVectors();
const fields = receipts[0]?.fields;
if (!fields) throw new Error('the vectors have a receipt');

const request = Buffer.from('{"model":"m","messages":[{"role":"user","content":"Is the merger on?"}]}');
const response = Buffer.from('{"choices":[{"message":{"content":"Yes."}}]}');
const requestSalt = createSalt();
const responseSalt = createSalt();
const signed: SignedReceipt = {
  entry: encodeReceipt({
    ...receiptOfVector(fields),
    requestCommitment: toHex(commit({ subject: 'request', salt: requestSalt, bytes: request })),
    responseCommitment: toHex(commit({ subject: 'response', salt: responseSalt, bytes: response })),
  }),
  ...{ index: 0, size: 1, signedAtMs: 1, path: [], signature: randomBytes(65), requestSalt, responseSalt },
};
const where = { chainId: scope.chainId, autoPayLLM: scope.autoPayLLM };
const disclose = (bytes: Partial<Record<CommitmentSubject, Uint8Array>>) =>
  createDisclosure({ ...where, signed, bytes });

describe('a disclosure', () => {
  it('opens the part that was chosen, and survives its text', () => {
    const text = formatDisclosure(disclose({ request }));
    const read = parseDisclosure(text);
    expect(opens(read, 'request')).toBe(true);
    expect(opens(read, 'response')).toBe(false);
    expect(Buffer.from(read.parts.request?.bytes ?? [])).toEqual(request);
    expect(read).toMatchObject(where);
    expect(formatDisclosure(read)).toBe(text);
    expect(opens(parseDisclosure(formatDisclosure(disclose({ request, response }))), 'response')).toBe(true);
  });

  it('does not carry the salt, nor a byte, of the other part', () => {
    const text = formatDisclosure(disclose({ request }));
    for (const secret of [responseSalt, response]) {
      for (const encoding of ['hex', 'base64', 'utf8'] as const) expect(text).not.toContain(secret.toString(encoding));
    }
    const { signed: shown } = parseDisclosure(text);
    expect([shown.requestSalt, shown.responseSalt]).toEqual([Buffer.alloc(32), Buffer.alloc(32)]);
  });

  it('is refused with any wrong byte, any other salt, and the bytes of the other part', () => {
    for (let place = 0; place < request.length; place += 1) {
      const other = Buffer.from(request);
      other[place] = (other[place] ?? 0) ^ 1;
      expect(() => disclose({ request: other })).toThrow(expect.objectContaining({ code: 'verification_failed' }));
    }
    expect(() => disclose({ request: response })).toThrow('not the bytes of the request');
    const read = parseDisclosure(formatDisclosure(disclose({ request, response })));
    const salt = Buffer.from(requestSalt);
    salt[31] = (salt[31] ?? 0) ^ 1;
    expect(opens({ ...read, parts: { request: { salt, bytes: request } } }, 'request')).toBe(false);
    // What opens one part opens no other, though salt and bytes are the same.
    const swapped = { ...read.parts.request, salt: requestSalt, bytes: request };
    expect(opens({ ...read, parts: { response: swapped } }, 'response')).toBe(false);
  });

  it('without the salt, a dictionary that has the very prompt finds nothing', () => {
    const { entry } = parseDisclosure(formatDisclosure(disclose({ response }))).signed;
    const dictionary = Array.from({ length: 5_000 }, (_, index) => Buffer.from(`likely prompt ${index}`));
    dictionary[2_500] = request;
    const guessedSalts = [Buffer.alloc(0), Buffer.alloc(32), responseSalt, entry.subarray(32, 64)];
    const hits = dictionary.filter((bytes) =>
      guessedSalts.some((salt) => Buffer.from(entry).includes(commit({ subject: 'request', salt, bytes }))),
    );
    expect(hits).toEqual([]);
    // The same search with the salt finds it: the search itself works.
    expect(Buffer.from(entry).includes(commit({ subject: 'request', salt: requestSalt, bytes: request }))).toBe(true);
  });

  it.each([
    ['no JSON', '{'],
    ['something else', '{"kind":"metering"}'],
    ['one with a member more', formatDisclosure(disclose({ request })).replace('"version"', '"more": 1, "version"')],
    [
      'one whose bytes are no base64',
      formatDisclosure(disclose({ request })).replace(request.toString('base64'), 'a b='),
    ],
    [
      'one whose receipt has a salt',
      JSON.stringify({
        ...(JSON.parse(formatDisclosure(disclose({ request }))) as object),
        receipt: encodeSignedReceipt({ ...signed, requestSalt: Buffer.alloc(32) }),
      }),
    ],
    ['one whose receipt is cut', formatDisclosure(disclose({})).replace(/"receipt": "[^"]{40}/, '"receipt": "')],
  ])('is not read from %s', (_what, text) => {
    expect(() => parseDisclosure(text)).toThrow(expect.objectContaining({ code: 'invalid_encoding' }));
  });
});
