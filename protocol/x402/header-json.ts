import { AutoPayError } from '../errors/auto-pay-error.ts';

/** The longest header that is read, in characters. */
const maxHeaderCharacters = 16_384;

/** The value of an x402 header: base64 of the JSON of `value` (x402 v2, "HTTP transport"). Amounts must be strings. */
export function encodeHeaderJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64');
}

/**
 * Reads an x402 header: canonical base64 (padding may be left out) of JSON in UTF-8, at most 16 KiB.
 * @throws AutoPayError `malformed_credential`
 */
export function decodeHeaderJson(name: string, encoded: string): unknown {
  if (encoded.length > maxHeaderCharacters) {
    throw malformed(`${name} is longer than ${maxHeaderCharacters} characters.`);
  }
  const text = encoded.replace(/={1,2}$/, '');
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64').replace(/=+$/, '') !== text) {
    throw malformed(`${name} has to be base64 of a JSON object.`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed(`${name} is base64, but does not hold JSON in UTF-8.`, cause);
  }
}

function malformed(message: string, cause?: unknown): AutoPayError {
  return new AutoPayError('malformed_credential', message, { cause });
}
