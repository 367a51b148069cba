import { errorCodes, type ErrorCode } from './error-codes.ts';

/** What an error may carry besides its code and message. */
export interface AutoPayErrorOptions {
  /** The request field at fault, as OpenAI's `param`. */
  param?: string;
  /** Facts that the *receiver* needs to act (sent to clients: put no internals here). Money as decimal strings. */
  facts?: Readonly<Record<string, string | number | boolean | null>>;
  /** The underlying error, for the log only. */
  cause?: unknown;
}

/**
 * The one error class of the system. `message` is short, is shown to people and says what to do;
 * `code` is stable and is what programs read.
 */
export class AutoPayError extends Error {
  override readonly name = 'AutoPayError';
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, options: AutoPayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param ?? null;
    this.facts = options.facts ?? {};
  }

  /** The HTTP status that carries this code. */
  get status(): number {
    return errorCodes[this.code].status;
  }

  /** OpenAI's `error.type` for this code. */
  get type(): string {
    return errorCodes[this.code].type;
  }
}
