import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ModelRequest } from './endpoints/endpoint.ts';

/** What one token and its log probability take in an answer, and what a chunk of a stream takes around them. */
const bytesPerLogprob = 96;
const bytesPerChunk = 320;

/** What bounds the length of an answer. */
export interface LengthBounds {
  outputTokens: number;
  maxResponseBytes: number;
  /** How often a stream has all of the answer in it. */
  repeats: number;
  /** Of the route's models; see `Route`. */
  embeddingDimensions: number;
}

/**
 * Refuses log probabilities and embeddings that would make the answer longer than the relay allows: they cost bytes, not tokens, and an
 * answer that is too long is broken off and charged all the same.
 * @throws AutoPayError `unsupported_parameter`; `invalid_request` for too many inputs.
 */
export function refuseTooLong(
  asked: Pick<ModelRequest, 'answerBytes' | 'choices' | 'logprobs' | 'stream'>,
  { embeddingDimensions, outputTokens, maxResponseBytes, repeats }: LengthBounds,
): void {
  const { choices, logprobs, stream } = asked;
  const answerBytes = asked.answerBytes?.(embeddingDimensions) ?? 0;
  if (answerBytes > maxResponseBytes) {
    throw new AutoPayError(
      'invalid_request',
      `So many inputs would make an answer of up to ${answerBytes} bytes, and this relay takes ${maxResponseBytes}. ` +
        'Send fewer inputs at once, name their dimensions, or ask for base64 by encoding_format.',
      { param: 'input' },
    );
  }
  if (logprobs === 0) return;
  const bytesPerToken = logprobs * bytesPerLogprob * (stream ? repeats : 1) + (stream ? bytesPerChunk : 0);
  const bytes = choices * outputTokens * bytesPerToken;
  if (bytes <= maxResponseBytes) return;
  throw new AutoPayError(
    'unsupported_parameter',
    `Log probabilities would make an answer of up to ${bytes} bytes, and this relay takes ${maxResponseBytes}. ` +
      'Lower top_logprobs, n or the output limit.',
    { param: logprobs > 1 ? 'top_logprobs' : 'logprobs' },
  );
}
