import { RE2JS } from 're2js';
import { detectScript, type ScriptName } from './detect-script.ts';
import type { RequestFeatures } from './read-features.ts';

/** What a rule looks at; what is undefined may be anything. */
export interface RuleCondition {
  /** Names that are asked for; undefined: those that stand for others. */
  models?: readonly string[] | undefined;
  /** RE2. */
  pattern?: string | undefined;
  keywords?: readonly string[] | undefined;
  minPromptCharacters?: number | undefined;
  maxPromptCharacters?: number | undefined;
  scripts?: readonly ScriptName[] | undefined;
  tools?: boolean | undefined;
  images?: boolean | undefined;
  tags?: readonly string[] | undefined;
  /** RE2 by names in lower case. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** A rule as it is written. */
export interface RuleConfig {
  name: string;
  when: RuleCondition;
  targets: readonly string[];
}

/** What a rule is asked about. */
export interface RuleAsk extends RequestFeatures {
  /** The name that the client asked for. */
  model: string;
  /** Whether that name stands for others (`auto`): then rules without `models` apply. */
  isAuto: boolean;
  headers: Readonly<Record<string, string | undefined>>;
}

/** A rule, ready to be asked. */
export interface Rule {
  name: string;
  targets: readonly string[];
  matches(ask: RuleAsk): boolean;
}

type Test = (ask: RuleAsk) => boolean;

const maxHeaderCharacters = 4_096;
/** A pattern takes a millisecond for some thousands of characters, on the thread of all calls, and of requests that nobody pays too. */
const maxPatternCharacters = 8_192;

/**
 * Compiles a rule: all that it says has to hold. Patterns are RE2's, which are matched in time linear in the text: no prompt can
 * make one run for long.
 * @throws RE2JSSyntaxException for a pattern that RE2 does not know, such as one with a backreference
 */
export function compileRule({ name, targets, when }: RuleConfig): Rule {
  const tests: Test[] = [({ isAuto, model }) => when.models?.includes(model) ?? isAuto];
  const { images, keywords, maxPromptCharacters: most, minPromptCharacters: least, scripts, tags, tools } = when;
  if (tools !== undefined) tests.push((ask) => ask.tools === tools);
  if (images !== undefined) tests.push((ask) => ask.images === images);
  if (least !== undefined) tests.push(({ promptCharacters }) => promptCharacters >= least);
  if (most !== undefined) tests.push(({ promptCharacters }) => promptCharacters <= most);
  if (tags) tests.push((ask) => tags.some((tag) => ask.tags.includes(tag)));
  for (const [header, pattern] of Object.entries(when.headers ?? {})) {
    const compiled = compilePattern(pattern);
    tests.push(({ headers }) => {
      const value = headers[header];
      return value !== undefined && compiled.matcher(value.slice(0, maxHeaderCharacters)).find();
    });
  }
  if (keywords) {
    const folded = keywords.map((keyword) => keyword.toLowerCase());
    tests.push(({ text }) => {
      const lower = text.toLowerCase();
      return folded.some((keyword) => lower.includes(keyword));
    });
  }
  if (scripts) {
    tests.push(({ text }) => {
      const script = detectScript(text);
      return script !== null && scripts.includes(script);
    });
  }
  if (when.pattern !== undefined) {
    const compiled = compilePattern(when.pattern);
    tests.push(({ text }) => compiled.matcher(text.slice(0, maxPatternCharacters)).find());
  }
  return { name, targets, matches: (ask) => tests.every((test) => test(ask)) };
}

/** The first rule that matches, as they are listed. */
export function findRule(rules: readonly Rule[], ask: RuleAsk): Rule | undefined {
  return rules.find((rule) => rule.matches(ask));
}

/** @throws RE2JSSyntaxException */
export function compilePattern(pattern: string): RE2JS {
  return RE2JS.compile(pattern);
}
