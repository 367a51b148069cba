import type { DirectiveKey, Directives, EvidenceFault, FaultName } from './directives.ts';
import { DIRECTIVE_HELP, EVIDENCE_FAULTS, FAULTS, faultRule, MAX_TOKENS, MAX_WAIT_MS } from './directives.ts';
import { WireError } from './wire-error.ts';

/** Where directives came from. */
export interface DirectiveSources {
  /** What follows `?` in the model's name, or null. */
  suffix: string | null;
  /** The value of the `x-sim` header, or null. Its keys win over the suffix. */
  header: string | null;
}

/**
 * Reads `key=value` pairs, joined by `;` or `&`, from the model's name and the header.
 *
 * @throws {WireError} 400 `invalid_sim_directive`: a test must not pass because its fault was misspelt.
 */
export function parseDirectives(sources: DirectiveSources): Directives {
  const values = new Map<DirectiveKey, string>();
  readPairs(sources.suffix ?? '', values);
  readPairs(sources.header ?? '', values);
  const tokensPerSecond = values.get('tps');
  const tokens = values.get('tokens');
  const barrier = values.get('barrier');
  const numberOf = (key: DirectiveKey, max: number) => {
    const text = values.get(key);
    return text === undefined ? null : toNumber(key, text, { min: 0, max });
  };
  return {
    latencyMs: toNumber('latency', values.get('latency') ?? '0', { min: 0, max: MAX_WAIT_MS }),
    tokensPerSecond: tokensPerSecond === undefined ? null : toRate(tokensPerSecond),
    tokens: tokens === undefined ? null : toNumber('tokens', tokens, { min: 0, max: MAX_TOKENS }),
    barrier: barrier === undefined ? null : toBarrier(barrier),
    cachedTokens: toNumber('cached', values.get('cached') ?? '0', { min: 0, max: 10_000_000 }),
    reasoningTokens: toNumber('reasoning', values.get('reasoning') ?? '0', { min: 0, max: MAX_TOKENS }),
    tools: (values.get('tool') ?? '').split(',').filter((name) => name !== ''),
    retryAfterS: numberOf('retryAfter', 86_400),
    retryAfterDateS: numberOf('retryAfterDate', 86_400),
    retryAfterMs: numberOf('retryAfterMs', 86_400_000),
    errorCode: toCode(values.get('code')),
    flap: numberOf('flap', 1_000),
    evidence: toEvidenceFault(values.get('evidence')),
    faults: toFaults(values.get('fault') ?? ''),
  };
}

function readPairs(text: string, values: Map<DirectiveKey, string>): void {
  for (const pair of text.split(/[;&]/)) {
    if (pair.trim() === '') continue;
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals < 0 ? undefined : equals).trim();
    const key = name === 'latencyMs' ? 'latency' : name;
    if (equals < 0 || !Object.hasOwn(DIRECTIVE_HELP, key)) {
      throw invalid(
        `'${pair}' is not a directive; use key=value with one of: ${Object.keys(DIRECTIVE_HELP).join(', ')}.`,
      );
    }
    values.set(key as DirectiveKey, pair.slice(equals + 1).trim());
  }
}

function toNumber(key: string, text: string, range: { min: number; max: number }): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < range.min || value > range.max) {
    throw invalid(`${key} must be a whole number from ${range.min} to ${range.max}, not '${text}'.`);
  }
  return value;
}

function toCode(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (!/^[a-z_]{1,64}$/.test(text)) throw invalid(`code must be a snake_case word, not '${text}'.`);
  return text;
}

function toEvidenceFault(text: string | undefined): EvidenceFault | null {
  if (text === undefined) return null;
  if (Object.hasOwn(EVIDENCE_FAULTS, text)) return text as EvidenceFault;
  throw invalid(`evidence must be one of ${Object.keys(EVIDENCE_FAULTS).join(', ')}, not '${text}'.`);
}

function toRate(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.1 || value > 1_000_000) {
    throw invalid(`tps must be a number from 0.1 to 1000000, not '${text}'.`);
  }
  return value;
}

function toBarrier(text: string): { name: string; count: number } {
  const match = /^([\w.-]{1,64}):(\d+)$/.exec(text);
  if (!match) throw invalid(`barrier must be NAME:N, not '${text}'.`);
  return { name: match[1]!, count: toNumber('barrier', match[2]!, { min: 1, max: 10_000 }) };
}

function toFaults(text: string): Map<FaultName, number> {
  const faults = new Map<FaultName, number>();
  for (const item of text.split(',')) {
    if (item === '') continue;
    const colon = item.indexOf(':');
    const name = colon < 0 ? item : item.slice(0, colon);
    if (!Object.hasOwn(FAULTS, name)) {
      throw invalid(`'${name}' is not a fault; known are: ${Object.keys(FAULTS).join(', ')}.`);
    }
    const fault = name as FaultName;
    const { argument } = faultRule(fault);
    if (colon < 0) {
      if (argument && argument.default === undefined) throw invalid(`fault ${name} needs an argument: ${name}:N.`);
      faults.set(fault, argument?.default ?? 0);
    } else {
      if (!argument) throw invalid(`fault ${name} takes no argument.`);
      faults.set(fault, toNumber(`fault ${name}`, item.slice(colon + 1), argument));
    }
  }
  return faults;
}

function invalid(message: string): WireError {
  return new WireError({ status: 400, message: `${message} See GET /sim/help.`, code: 'invalid_sim_directive' });
}
