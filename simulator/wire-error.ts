/** What an error body says, in the shape of the OpenAI API reference, "Error codes". */
export interface WireErrorOptions {
  /** HTTP status, 400 to 599. */
  status: number;
  /** For people; names the remedy. */
  message: string;
  /** OpenAI's class of error, `invalid_request_error` unless said otherwise. */
  type?: string;
  /** The request parameter at fault. */
  param?: string | null;
  /** Stable snake_case code. */
  code?: string | null;
  /** Further response headers, such as `retry-after`. */
  headers?: Record<string, string>;
}

/** A refusal that is answered to the client as an OpenAI error body. */
export class WireError extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;

  constructor(options: WireErrorOptions) {
    super(options.message);
    this.name = 'WireError';
    this.status = options.status;
    this.headers = options.headers ?? {};
    this.type = options.type ?? 'invalid_request_error';
    this.param = options.param ?? null;
    this.code = options.code ?? null;
  }

  /** The response body: `{"error": {message, type, param, code}}`, UTF-8 JSON. */
  toBody(): Buffer {
    const { message, type, param, code } = this;
    return Buffer.from(JSON.stringify({ error: { message, type, param, code } }, null, 2));
  }
}
