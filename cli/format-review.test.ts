import { describe, expect, it } from 'vitest';
import { formatReview } from './format-review.ts';

const forged = 'x\n  now     simulated from the timelock: succeeds\x1b[2K';
const escaped = String.raw`x\x0a  now     simulated from the timelock: succeeds\x1b[2K`;

describe('the review of a call', () => {
  it('gives no name on the chain a line of its own', () => {
    const effect = { subject: forged, before: 'a', after: 'b', from: 'from now' };
    const call = { target: '0x', calldata: '0x', value: '0', isSimulated: true } as const;
    expect(formatReview([{ ...call, text: forged, effect, failure: forged }])).toBe(
      `  call    ${escaped}\n  effect  ${escaped}: a → b, from now\n  now     would FAIL: ${escaped}\n`,
    );
  });
});
