import type { JsonObject } from './parse-request.ts';
import { isObject } from './parse-request.ts';

/** Recursive schemas end here. */
const MAX_DEPTH = 12;

/**
 * The plainest value that fits a JSON Schema: first of `enum` or `anyOf`, smallest number, shortest array, all named
 * properties. Covers the subset that OpenAI's structured outputs allow.
 *
 * @param root the schema that local references (`#/$defs/…`) point into
 */
export function sampleSchema(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return null;
  if (typeof schema.$ref === 'string') return sampleSchema(resolveReference(schema.$ref, root), root, depth + 1);
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0] as unknown;
  const branches = [schema.anyOf, schema.oneOf, schema.allOf].find(Array.isArray);
  if (branches) return sampleSchema(branches[0], root, depth + 1);
  const type: unknown = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'string':
      return 'simulated'.padEnd(toNumber(schema.minLength, 0), '.');
    case 'integer':
    case 'number':
      return toNumber(schema.minimum, 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return Array.from({ length: Math.min(toNumber(schema.minItems, 1), 100) }, () =>
        sampleSchema(schema.items, root, depth + 1),
      );
    default:
      return sampleObject(schema, root, depth);
  }
}

function sampleObject(schema: JsonObject, root: unknown, depth: number): JsonObject {
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  return Object.fromEntries(properties.map(([name, inner]) => [name, sampleSchema(inner, root, depth + 1)]));
}

function resolveReference(reference: string, root: unknown): unknown {
  let target = root;
  for (const step of reference.split('/').slice(1)) target = isObject(target) ? target[step] : undefined;
  return target;
}

function toNumber(value: unknown, fallback: number): number {
  return typeof value === 'number' ? Math.min(value, 1_000_000) : fallback;
}
