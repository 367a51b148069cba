import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { parseJson } from '../../../protocol/text/parse-json.ts';
import { createBodyReader } from '../read-body.ts';

/** Reads small JSON bodies. */
export interface JsonReader {
  /** @throws AutoPayError `invalid_json`, `invalid_request`, and what reading a body throws */
  read<T extends z.ZodType>(request: IncomingMessage, schema: T): Promise<z.output<T>>;
}

const maxBodyBytes = 64 * 2 ** 10;

/** Makes a reader of bodies of at most 64 KiB. */
export function createJsonReader(): JsonReader {
  const bodies = createBodyReader({ maxBodyBytes }, () => true);
  return {
    async read(request, schema) {
      const held = await bodies.read(request);
      try {
        const value = parseJson(held.bytes);
        if (value === undefined) throw new AutoPayError('invalid_json', 'The body is not valid JSON.');
        return parseWith(schema, value);
      } finally {
        held.release();
      }
    },
  };
}

/**
 * The query of a request.
 * @throws AutoPayError `invalid_request`
 */
export function readQuery<T extends z.ZodType>(request: Pick<IncomingMessage, 'url'>, schema: T): z.output<T> {
  const { searchParams } = new URL(request.url ?? '/', 'http://relay');
  return parseWith(schema, Object.fromEntries(searchParams));
}

const maxIssues = 5;

function parseWith<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const [first] = issues;
  const texts = issues.slice(0, maxIssues).map(({ message, path }) => `${path.join('.') || 'it'}: ${message}`);
  throw new AutoPayError('invalid_request', `The request is not understood (${texts.join('; ')}).`, {
    param: first?.path.join('.') || 'body',
  });
}
