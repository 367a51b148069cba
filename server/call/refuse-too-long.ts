import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ModelRequest } from './endpoints/endpoint.ts';

/** What one token and its log probability take in an answer, and what a chunk of a stream takes around them. */
const bytesPerLogprob = 96;
const bytesPerChunk = 320;

/**
 * Refuses log probabilities that would make the answer longer than the relay allows: they cost bytes, not tokens, and an
 * answer that is too long is broken off and charged all the same.
 * @throws AutoPayError `unsupported_parameter`.
 */
export function refuseTooLong(
  asked: Pick<ModelRequest, 'choices' | 'logprobs' | 'stream'>,
  { outputTokens, maxResponseBytes }: { outputTokens: number; maxResponseBytes: number },
): void {
  const { choices, logprobs, stream } = asked;
  if (logprobs === 0) return;
  const bytes = choices * outputTokens * (logprobs * bytesPerLogprob + (stream ? bytesPerChunk : 0));
  if (bytes <= maxResponseBytes) return;
  throw new AutoPayError(
    'unsupported_parameter',
    `Log probabilities would make an answer of up to ${bytes} bytes, and this relay takes ${maxResponseBytes}. ` +
      'Lower top_logprobs, n or max_completion_tokens.',
    { param: logprobs > 1 ? 'top_logprobs' : 'logprobs' },
  );
}
