import { AutoPayError } from './auto-pay-error.ts';

/** What `read` returns; undefined if it throws an AutoPayError, which says that there is nothing to be understood. */
export function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof AutoPayError) return undefined;
    throw error;
  }
}
