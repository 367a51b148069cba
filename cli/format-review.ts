import { escapeLine } from '../protocol/text/escape-text.ts';
import { formatEffect } from '../client/governance/preview-effects.ts';
import type { ReviewedCall } from '../client/governance/review-calls.ts';

/**
 * What a signer is shown of a proposal's calls: the call in words, its effect, and what simulating it said. Each keeps to its
 * line: a name on the chain must not write a line of its own.
 */
export function formatReview(calls: readonly ReviewedCall[]): string {
  return calls
    .map(({ text, effect, failure, isSimulated }) => {
      const lines = [`  call    ${escapeLine(text)}`];
      if (effect) lines.push(`  effect  ${escapeLine(formatEffect(effect))}`);
      if (isSimulated)
        lines.push(
          `  now     ${failure === null ? 'simulated from the timelock: succeeds' : `would FAIL: ${escapeLine(failure)}`}`,
        );
      return `${lines.join('\n')}\n`;
    })
    .join('');
}
