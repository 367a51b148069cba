/** Everything that a request may ask of the simulator, and the words for it. One table serves parser and `/sim/help`. */

/** No wait and no answer lasts longer than this, in milliseconds. */
export const MAX_WAIT_MS = 600_000;

/** The most tokens that one choice may have. */
export const MAX_TOKENS = 200_000;

interface FaultRule {
  /** Range and meaning of the argument after the colon; a default makes it optional. Absent: the fault takes none. */
  argument?: { min: number; max: number; default?: number };
  meaning: string;
}

const COUNT = { min: 0, max: 1_000_000 };

/** The faults by name, as in `fault=NAME` or `fault=NAME:ARGUMENT`; several are joined by commas. */
export const FAULTS = {
  status: {
    argument: { min: 400, max: 599 },
    meaning: 'answer with this HTTP status and an OpenAI error body (retryAfter=S adds the header retry-after)',
  },
  refuse: { meaning: 'reset the connection before any header' },
  'hang-headers': { meaning: 'never answer; the connection stays open' },
  'cut-before-first': { meaning: 'send status and headers, then drop the connection' },
  'cut-after': {
    argument: COUNT,
    meaning: 'drop the connection after this many events of a stream, or bytes of a JSON body',
  },
  'stall-after': {
    argument: COUNT,
    meaning: 'send nothing more after this many events (JSON: bytes), but keep the connection open',
  },
  'error-after': {
    argument: COUNT,
    meaning: 'after this many events of a stream send an error event and end, without [DONE]; JSON is not affected',
  },
  'no-done': { meaning: 'end the stream without [DONE]' },
  'no-usage': { meaning: 'leave usage out' },
  'malformed-chunk': { meaning: 'make the third event of a stream, or the whole JSON body, invalid JSON' },
  crlf: { meaning: 'end the lines of a stream with CR LF, which server-sent events allow' },
  empty: { meaning: 'status 200 with an empty body' },
  'wrong-content-type': { meaning: 'the right body as text/plain' },
  'slow-drip': {
    argument: { min: 0, max: 10_000, default: 2 },
    meaning: 'write the body in pieces of five bytes, this many milliseconds apart (default 2)',
  },
} as const satisfies Record<string, FaultRule>;

export type FaultName = keyof typeof FAULTS;

/** The fault's rule, without the literal types that the table has. */
export function faultRule(name: FaultName): FaultRule {
  return FAULTS[name];
}

/** What may be wrong with the evidence of an answer. */
export const EVIDENCE_FAULTS = {
  flip: 'sign another answer, one bit off (Verathos: the beacon)',
  'other-key': 'sign with another key',
  missing: 'have no signature',
  late: 'have the signature at the second question only',
  hang: 'never answer when asked for the signature',
  gateway: 'say that a gateway signed',
} as const;

export type EvidenceFault = keyof typeof EVIDENCE_FAULTS;

/** What the keys of a directive mean; `fault` values are listed by {@link FAULTS}. */
export const DIRECTIVE_HELP = {
  latency: 'milliseconds until the response headers (also: latencyMs)',
  tps: 'tokens per second; without it the answer is sent at once',
  tokens: 'length of the answer in tokens (text answers only)',
  barrier: 'NAME:N holds the response until N requests with this name have arrived',
  cached: 'cached prompt tokens in usage, at most the prompt',
  reasoning: 'reasoning tokens, counted as completion tokens before the text',
  tool: 'names of functions among the request’s tools to call, joined by commas',
  retryAfter: 'seconds for the retry-after header of fault=status:N',
  retryAfterDate: 'the same as a date, so many seconds from now',
  retryAfterMs: 'milliseconds for its retry-after-ms header',
  code: 'code in the error body of fault=status:N, such as context_length_exceeded',
  flap: 'so many requests for this model meet status, refuse or hang-headers, and then one does not, again and again',
  evidence: `what is wrong with the evidence of the answer: ${Object.keys(EVIDENCE_FAULTS).join(', ')}`,
  fault: 'one or more faults, joined by commas',
} as const;

export type DirectiveKey = keyof typeof DIRECTIVE_HELP;

/** The parsed directives of one request. */
export interface Directives {
  latencyMs: number;
  /** Null: as fast as the connection takes it. */
  tokensPerSecond: number | null;
  /** Null: the seed decides. */
  tokens: number | null;
  barrier: { name: string; count: number } | null;
  cachedTokens: number;
  reasoningTokens: number;
  tools: readonly string[];
  retryAfterS: number | null;
  retryAfterDateS: number | null;
  retryAfterMs: number | null;
  /** Null: the usual one of the status. */
  errorCode: string | null;
  /** Null: the fault meets every request. */
  flap: number | null;
  /** Null: nothing is wrong with it. */
  evidence: EvidenceFault | null;
  /** Argument by fault; 0 for faults that take none. */
  faults: ReadonlyMap<FaultName, number>;
}
