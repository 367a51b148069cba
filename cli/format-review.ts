import { formatEffect } from '../client/governance/preview-effects.ts';
import type { ReviewedCall } from '../client/governance/review-calls.ts';

/** What a signer is shown of a proposal's calls: the call in words, its effect, and what simulating it said. */
export function formatReview(calls: readonly ReviewedCall[]): string {
  return calls
    .map(({ text, effect, failure, isSimulated }) => {
      const lines = [`  call    ${text}`];
      if (effect) lines.push(`  effect  ${formatEffect(effect)}`);
      if (isSimulated)
        lines.push(
          `  now     ${failure === null ? 'simulated from the timelock: succeeds' : `would FAIL: ${failure}`}`,
        );
      return `${lines.join('\n')}\n`;
    })
    .join('');
}
