import { parseRequest } from '../parse-request.ts';
import { createSeededRandom } from '../seeded-random.ts';
import { chatWire } from './chat-wire.ts';
import type { Wire } from './wire.ts';
import { parseBody, toChatBody } from './wire-text.ts';

const defaultDimensions = 8;

/** OpenAI's `/v1/embeddings`. A vector is a function of its input alone. */
export const embeddingsWire: Wire = {
  path: '/v1/embeddings',
  read(body) {
    const { input, model } = parseBody(body);
    return parseRequest(
      toChatBody({ model, messages: inputsOf(input).map((content) => ({ role: 'user', content })), max_tokens: 1 }),
    );
  },
  write(answer, { body, usage }) {
    const { dimensions, encoding_format: format, input } = parseBody(body);
    const length = typeof dimensions === 'number' ? dimensions : defaultDimensions;
    const data = inputsOf(input).map((text, index) => {
      const vector = vectorOf(text, length);
      return { object: 'embedding', index, embedding: format === 'base64' ? toBase64(vector) : vector };
    });
    const prompt = answer.usage.prompt_tokens;
    const told = usage && { usage: { prompt_tokens: prompt, total_tokens: prompt } };
    const whole = { object: 'list', data, model: answer.model, ...told };
    return [{ bytes: Buffer.from(JSON.stringify(whole, null, 2)), tokens: 0 }];
  },
  errorFrame: chatWire.errorFrame,
};

function inputsOf(input: unknown): string[] {
  const inputs: unknown[] = Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
  return inputs.map((one) => (typeof one === 'string' ? one : String(one)));
}

function vectorOf(text: string, length: number): number[] {
  const letters = createSeededRandom(`embedding/${text}`).alphanumeric(length);
  return [...letters].map((letter) => letter.charCodeAt(0) / 128 - 0.5);
}

function toBase64(vector: readonly number[]): string {
  const floats = Float32Array.from(vector);
  return Buffer.from(floats.buffer).toString('base64');
}
