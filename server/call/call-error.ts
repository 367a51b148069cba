import { AutoPayError, type AutoPayErrorOptions } from '../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { UpstreamRefusal } from './router.ts';

/**
 * The error of a call that is answered with more than its code says: with the status and the words of an upstream that
 * refused, or with headers, such as the receipt of a call that was charged though its answer is not whole.
 */
export class CallError extends AutoPayError {
  /** In OpenAI's shape; null if the error's own words are told. */
  readonly refusal: Pick<UpstreamRefusal, 'status' | 'error'> | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: AutoPayErrorOptions & { refusal?: UpstreamRefusal; headers?: Readonly<Record<string, string>> },
  ) {
    super(code, message, options);
    this.refusal = options.refusal ?? null;
    this.headers = { 'cache-control': 'no-store', ...options.refusal?.headers, ...options.headers };
  }

  override get status(): number {
    return this.refusal?.status ?? super.status;
  }
}
