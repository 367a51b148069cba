import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStreamFilter, type StreamEvidence } from './filter-stream.ts';

const before = 'data: {"a":"ü"}\n\n: ping\n\nevent: other\ndata: 1\n\n';
const comment = ': autopay-receipt QUJD\n\n';
const after = 'data: [DONE]\n\n';
const named = 'event: payment-receipt\ndata: {"x":\ndata: 1}\n\n';

/** Pushes `text` in pieces that end at `cuts`, and says what passed after each. */
async function filter(text: string, cuts: readonly number[] = [], maxRetainedBytes = 10_000) {
  const evidence: StreamEvidence[] = [];
  const stream = createStreamFilter({ maxRetainedBytes, onEvidence: async (found) => void evidence.push(found) });
  const bytes = Buffer.from(text);
  const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  );
  const passed: string[] = [];
  let start = 0;
  for (const end of ends) {
    passed.push((await stream.push(bytes.subarray(start, end))).toString('latin1'));
    start = end;
  }
  passed.push((await stream.finish()).toString('latin1'));
  return { text: Buffer.from(passed.join(''), 'latin1').toString(), passed, evidence };
}

describe('the stream filter', () => {
  it('gives the same result however the stream is cut', async () => {
    const whole = before + comment + after + named + named.replaceAll('\n', '\r\n') + ': end\n\n';
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 })), async (cuts) => {
        const { text, evidence } = await filter(whole, cuts);
        expect(text).toBe(`${before}${comment}${after}: end\n\n`);
        expect(evidence).toEqual([{ receipt: 'QUJD', bytesBefore: Buffer.from(before) }]);
      }),
    );
  });

  it('holds nothing back that cannot become a marker', async () => {
    const { passed } = await filter('data: {"half', []);
    expect(passed).toEqual(['data: {"half', '']);
    expect((await filter(`${before}data`, [])).passed.at(-1)).toBe('data');
  });

  it('tells of the receipt before [DONE] passes', async () => {
    const order: string[] = [];
    const stream = createStreamFilter({
      maxRetainedBytes: 1_000,
      onEvidence: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push('checked');
      },
    });
    await stream.push(Buffer.from(comment + after)).then(() => order.push('passed'));
    expect(order).toEqual(['checked', 'passed']);
  });

  it('takes the last receipt, which only the relay can write there', async () => {
    const { evidence } = await filter(`: autopay-receipt RkFLRQ==\n\n${before}${comment}${after}`);
    expect(evidence).toEqual([
      { receipt: 'QUJD', bytesBefore: Buffer.from(`: autopay-receipt RkFLRQ==\n\n${before}`) },
    ]);
  });

  it('tells once, at the end, of a stream without receipt or [DONE]', async () => {
    expect((await filter(before)).evidence).toEqual([{ receipt: undefined, bytesBefore: undefined }]);
  });

  it('keeps no more than its bound, and never a longer line', async () => {
    expect((await filter(before + comment + after, [], 10)).evidence).toEqual([
      { receipt: 'QUJD', bytesBefore: undefined },
    ]);
    const endless = `: autopay-receipt ${'A'.repeat(100_000)}`;
    expect((await filter(endless, [70_000])).passed[0]).toHaveLength(70_000);
  });

  it('tells of the receipt of a stream that was cut after it, and of nothing where there was none', async () => {
    const evidence: StreamEvidence[] = [];
    const onEvidence = async (found: StreamEvidence) => void evidence.push(found);
    const cut = createStreamFilter({ maxRetainedBytes: 1_000, onEvidence });
    await cut.push(Buffer.from(before));
    await cut.breakOff();
    expect(evidence).toEqual([]);
    await cut.push(Buffer.from(`${comment}data: {"error":{}}\n\n`));
    await cut.breakOff();
    expect(evidence).toEqual([{ receipt: 'QUJD', bytesBefore: Buffer.from(before) }]);
  });

  it.each([
    ['data: {"error":{}}\n\n', 'error'],
    ['event: error\ndata: {"type":"error","error":{}}\n\n', 'error'],
    ['', 'silence'],
  ])('knows how each API ends a stream that was charged nothing: %j', async (ending, expected) => {
    const cut = createStreamFilter({ maxRetainedBytes: 1_000, onEvidence: async () => undefined });
    await cut.push(Buffer.from(before + ending));
    expect(await cut.breakOff()).toBe(expected);
  });
});
