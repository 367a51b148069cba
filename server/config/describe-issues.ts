import { z } from 'zod';
import { nearestName } from './nearest-name.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';

/** What zod found, in words that say what to do. */
export function describeIssues(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): ConfigIssue[] {
  return issues.flatMap((issue) => describeIssue(schema, issue));
}

function describeIssue(schema: z.ZodType, issue: z.core.$ZodIssue): ConfigIssue[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `is not a known key; ${suggestKey(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The alternative that fits best is the one that was meant.
    const [best] = issue.errors.toSorted((a, b) => faultsOf(a) - faultsOf(b));
    if (best?.[0]) {
      return best.flatMap((inner) => describeIssue(schema, { ...inner, path: [...issue.path, ...inner.path] }));
    }
  }
  if (issue.code === 'invalid_key') {
    return [{ path, message: `has a name that is not allowed: it ${issue.issues[0]?.message ?? 'is not valid'}` }];
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ path, message: missing && issue.message.includes('undefined') ? 'is missing' : lowerFirst(issue.message) }];
}

/** An alternative of another type is further away than one with faults inside. */
function faultsOf(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, { code, path }) => sum + (code === 'invalid_type' && path.length === 0 ? 1_000 : 1), 0);
}

/** The remedy for a key that nobody knows. */
export function suggestKey(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  return nearest ? `did you mean "${nearest}"?` : `known are ${known.join(', ')}`;
}

function lowerFirst(message: string): string {
  return message.replace(/^Invalid input: e/, 'e').replace(/^Invalid input/, 'is not valid');
}

/** The keys that a schema knows at `path`. */
function knownKeys(root: z.ZodType, path: ConfigPath): string[] {
  let schemas: unknown[] = [root];
  for (const key of path) schemas = schemas.flatMap(unwrap).flatMap((schema) => childOf(schema, key));
  const found = schemas.flatMap(unwrap).filter((schema) => schema instanceof z.ZodObject);
  return [...new Set(found.flatMap((schema) => Object.keys(schema.shape)))];
}

function unwrap(schema: unknown): unknown[] {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema];
}

function childOf(schema: unknown, key: string | number): unknown[] {
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  return schema instanceof z.ZodObject ? [schema.shape[key] as unknown] : [];
}
