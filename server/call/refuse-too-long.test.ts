import { expect, test } from 'vitest';
import { completions } from './endpoints/completions.ts';
import { embeddings } from './endpoints/embeddings.ts';
import { messages } from './endpoints/messages.ts';
import { chatCompletions } from './endpoints/chat-completions.ts';
import { responses } from './endpoints/responses.ts';
import { refuseTooLong } from './refuse-too-long.ts';

const logprobs = { choices: 1, logprobs: 5, stream: false };
const bytes = 100 * 5 * 96;
const embeddingDimensions = 3_072;

test('log probabilities take bytes, which the limit of tokens does not bound', () => {
  expect(() =>
    refuseTooLong(logprobs, { outputTokens: 100, maxResponseBytes: bytes, repeats: 1, embeddingDimensions }),
  ).not.toThrow();
  for (const asked of [
    { ...logprobs, stream: true },
    { ...logprobs, choices: 2 },
    { ...logprobs, logprobs: 6 },
  ]) {
    const error = expect.objectContaining({ code: 'unsupported_parameter', param: 'top_logprobs' }) as Error;
    expect(() =>
      refuseTooLong(asked, { outputTokens: 100, maxResponseBytes: bytes, repeats: 1, embeddingDimensions }),
    ).toThrow(error);
  }
});

test('a stream that says all of it several times has them as often; a JSON answer once', () => {
  const bounds = {
    outputTokens: 100,
    maxResponseBytes: 4 * bytes,
    repeats: responses.stream?.repeats ?? 1,
    embeddingDimensions,
  };
  expect(() => refuseTooLong(logprobs, bounds)).not.toThrow();
  expect(() => refuseTooLong({ ...logprobs, stream: true }, bounds)).toThrow('Log probabilities');
  expect(() => refuseTooLong({ ...logprobs, stream: true }, { ...bounds, repeats: 1 })).not.toThrow();
});

test('of the streams only that of Responses does so', () => {
  const told = [chatCompletions, completions, messages, responses, embeddings].map(({ stream }) => stream?.repeats);
  expect(told).toEqual([1, 1, 1, 5, undefined]);
});

test('embeddings are as long as their dimensions', () => {
  const refusal = (body: object, dimensions = embeddingDimensions): string | null => {
    const asked = embeddings.parse(Buffer.from(JSON.stringify({ model: 'm', ...body })));
    try {
      refuseTooLong(asked, {
        outputTokens: 0,
        maxResponseBytes: 33_554_432,
        repeats: 1,
        embeddingDimensions: dimensions,
      });
      return null;
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_request', param: 'input' });
      return String(error);
    }
  };
  const texts = (count: number) => ({ input: Array.from({ length: count }, () => 'a') });
  expect(refusal(texts(2_048))).toContain('inputs');
  expect(refusal({ ...texts(2_048), encoding_format: 'base64' })).toContain('inputs');
  expect(refusal({ ...texts(2_048), dimensions: 256 })).toBeNull();
  expect(refusal({ ...texts(1_900), encoding_format: 'base64' })).toBeNull();
  // What LangChain sends at once.
  expect(refusal(texts(512))).toBeNull();
  // Of a model whose embeddings are longer, or shorter, than most.
  expect(refusal(texts(512), 8_192)).toContain('inputs');
  expect(refusal(texts(2_048), 1_024)).toBeNull();
});
