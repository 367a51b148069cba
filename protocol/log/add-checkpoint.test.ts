import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts';

const hash = Buffer.alloc(32, 0xa5);
const note = 'example.com/log\n7\nAAAA\n\n— example.com/log AAAA\n';

describe('the body of add-checkpoint', () => {
  it('is what C2SP tlog-witness shows', () => {
    expect(formatAddCheckpoint({ oldSize: 5, proof: [hash, hash], note })).toBe(
      `old 5\n${hash.toString('base64')}\n${hash.toString('base64')}\n\n${note}`,
    );
    expect(formatAddCheckpoint({ oldSize: 0, proof: [], note })).toBe(`old 0\n\n${note}`);
  });

  it('is read as it was written', () => {
    const proofs = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 63 });
    fc.assert(
      fc.property(fc.maxSafeNat(), proofs, (oldSize, proof) => {
        const request = { oldSize, proof: proof.map((item) => Buffer.from(item)), note };
        expect(parseAddCheckpoint(formatAddCheckpoint(request))).toEqual(request);
      }),
    );
  });

  const line = hash.toString('base64');
  it.each([
    ['no size', `old \n\n${note}`],
    ['a leading zero', `old 05\n\n${note}`],
    ['a sign', `old -5\n\n${note}`],
    ['a size beyond 2^53', `old 9007199254740993\n\n${note}`],
    ['no empty line', `old 5\n${line}\n${note}`.replace('\n\n', '\n')],
    ['a short hash', `old 5\n${line.slice(4)}\n\n${note}`],
    ['a hash with spare bits', `old 5\n${line.slice(0, 42)}F=\n\n${note}`],
    ['64 hashes', `old 5\n${`${line}\n`.repeat(64)}\n${note}`],
    ['line ends of Windows', `old 5\r\n\r\n${note}`],
    ['no note', 'old 5\n\n'],
    ['a last line without its end', `old 5\n\n${note.slice(0, -1)}`],
  ])('is refused with %s', (_what, body) => {
    expect(() => parseAddCheckpoint(body)).toThrowError(expect.objectContaining({ code: 'invalid_encoding' }));
  });
});
