import type { JsonObject } from '../../../protocol/text/json-object.ts';
import type { ToldError } from './endpoint.ts';

/** The model that an answer, or a chunk of one, names. */
export function modelOf({ model }: JsonObject): string | null {
  return typeof model === 'string' ? model : null;
}

/** An error as OpenAI's API answers it: `{"error": {message, type, param, code}}`. */
export function writeOpenAiError(error: ToldError, { facts }: { facts: object }): JsonObject {
  return { error: { ...error, ...facts } };
}

/** The same as an event: OpenAI's clients raise it. */
export function writeOpenAiErrorEvent({ message, type, param, code }: ToldError): string {
  return `data: ${JSON.stringify({ error: { message, type, param, code } })}\n\n`;
}
