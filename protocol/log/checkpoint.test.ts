import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCheckpoint, originOf, parseCheckpoint } from './checkpoint.ts';

/** The example of C2SP tlog-checkpoint. */
const published = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';

describe('a checkpoint', () => {
  it('is that of C2SP', () => {
    const checkpoint = parseCheckpoint(published);
    expect(checkpoint).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163 });
    expect(Buffer.from(checkpoint.root).toString('base64')).toBe('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=');
    expect(formatCheckpoint(checkpoint)).toBe(published);
    expect(parseCheckpoint(`${published}an extension\n`)).toEqual(checkpoint);
  });

  it('comes back as it was, whatever its size and root', () => {
    const root = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.maxSafeNat(), root, (size, bytes) => {
        const checkpoint = { origin: 'o', size, root: Buffer.from(bytes) };
        expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
      }),
    );
  });

  it('names the contract that the log is of', () => {
    expect(originOf({ chainId: 8453, autoPayLLM: `0x${'Ab'.repeat(20)}` })).toBe(`eip155/8453/0x${'ab'.repeat(20)}`);
  });

  it.each([
    '',
    published.slice(0, -1),
    `\n${published}`,
    `${published}\n`,
    `${published}\nextension\n`,
    `${published}extension`,
    published.replace('20852163', '020852163'),
    published.replace('20852163', '-1'),
    published.replace('20852163', '9007199254740992'),
    published.replace('20852163', '1e3'),
    published.replace('q2I=', 'q2J='),
    published.replace('q2I=', 'q2I'),
    published.replace('CsUY', ''),
  ])('is not %j', (text) => {
    expect(() => parseCheckpoint(text)).toThrow('This is not a checkpoint');
  });

  it('has a size and a root', () => {
    const root = new Uint8Array(32);
    expect(() => formatCheckpoint({ origin: 'o', size: -1, root })).toThrow(RangeError);
    expect(() => formatCheckpoint({ origin: 'o', size: 1.5, root })).toThrow(RangeError);
    expect(() => formatCheckpoint({ origin: 'o', size: 1, root: root.subarray(1) })).toThrow(RangeError);
  });
});
