import { nearestName } from '../nearest-name.ts';
import type { ConfigPath } from '../report-issues.ts';

/**
 * What becomes of a key of another program's file.
 * - honoured: it does here what it does there.
 * - warned: it does nothing here; the relay starts, and says so by name.
 * - refused: without it the relay would do something else than the file says; it does not start until the key is gone, or is
 *   listed under `ignore`.
 */
export type KeyStatus = 'honoured' | 'warned' | 'refused';

/**
 * A rule for one key: what becomes of it, and how, or why not; `off` where it asks for something by being off, and only then. Of a list,
 * the names whose absence changes no answer: they are only warned of.
 */
export type KeyRule = readonly [status: KeyStatus, note: string, also?: 'off' | readonly string[]];

/**
 * Rules by path; `*` stands for any index or name, `*word*` as the last part for any name with the word in it. A name of its own goes before
 * a word, a word before `*`. What stands below a path with a rule goes with it.
 */
export type KeyRules = Readonly<Record<string, KeyRule>>;

/** A key that was found. */
export interface KeyFinding {
  path: ConfigPath;
  status: KeyStatus;
  message: string;
}

/**
 * Judges every key of a file. Keys that have no rule are refused.
 * @param ignored paths, as rules have them or as they are, that the operator does without
 */
export function judgeKeys(value: unknown, rules: KeyRules, ignored: readonly string[]): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const words = wordsOf(rules);
  const judge = (path: ConfigPath, patterns: readonly string[], inner: unknown): void => {
    const pattern = patterns.find((candidate) => candidate in rules);
    const rule = pattern === undefined ? undefined : rules[pattern];
    if (ignored.includes(path.join('.')) || patterns.some((candidate) => ignored.includes(candidate))) {
      findings.push({ path, status: 'warned', message: 'is ignored, as the configuration says' });
    } else if (rule) {
      findings.push(...applyRule(path, inner, rule));
    } else if (patterns.some((prefix) => Object.keys(rules).some((key) => key.startsWith(`${prefix}.`)))) {
      descend(path, patterns, inner);
    } else {
      findings.push({ path, status: 'refused', message: describeUnknown(path, patterns, rules) });
    }
  };
  const descend = (path: ConfigPath, patterns: readonly string[], inner: unknown): void => {
    if (typeof inner !== 'object' || inner === null) return;
    const isList = Array.isArray(inner);
    for (const [key, child] of Object.entries(inner)) {
      const worded = words.filter((word) => key.toLowerCase().includes(word)).map((word) => `*${word}*`);
      const names = isList ? ['*'] : [key, ...worded, '*'];
      const next = patterns.flatMap((prefix) => names.map((name) => (prefix === '' ? name : `${prefix}.${name}`)));
      judge([...path, isList ? Number(key) : key], next, child);
    }
  };
  descend([], [''], value);
  return findings;
}

function applyRule(path: ConfigPath, value: unknown, [status, note, also]: KeyRule): KeyFinding[] {
  if (Array.isArray(also) && Array.isArray(value)) {
    return value.map((name: unknown, index) => {
      const known = also.some((one) => one === name) ? 'warned' : status;
      return { path: [...path, index], status: known, message: `(${String(name)}) ${describe(known, note)}` };
    });
  }
  // What is switched off, or empty, mostly asks for nothing.
  const asks = also === 'off' ? value === false : !isOff(value);
  return [{ path, status: asks ? status : 'honoured', message: describe(status, note) }];
}

function wordsOf(rules: KeyRules): string[] {
  const words = Object.keys(rules).map((path) => /\.\*([a-z_]+)\*$/.exec(path)?.[1]);
  return [...new Set(words)].filter((word) => word !== undefined);
}

function isOff(value: unknown): boolean {
  if (value === false || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value ?? {}).length === 0;
}

function describe(status: KeyStatus, note: string): string {
  if (status === 'honoured') return note;
  if (status === 'warned') return `has no effect here: ${note}`;
  return `cannot be honoured: ${note}. Remove it, or list it under \`ignore\` of the import`;
}

function describeUnknown(path: ConfigPath, patterns: readonly string[], rules: KeyRules): string {
  const depth = path.length;
  const parents = patterns.map((pattern) => pattern.split('.').slice(0, -1).join('.'));
  const siblings = Object.keys(rules)
    .filter((key) => parents.some((parent) => parent === '' || key.startsWith(`${parent}.`)))
    .map((key) => key.split('.')[depth - 1] ?? '')
    .filter((name) => !name.startsWith('*') && name !== '');
  const nearest = nearestName(String(path.at(-1)), [...new Set(siblings)]);
  const meant = nearest ? `did you mean "${nearest}"? Else ` : '';
  return `is not a known key; ${meant}remove it, or list it under \`ignore\` of the import`;
}
