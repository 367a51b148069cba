import { collectBytes } from '../../../protocol/bytes/collect-bytes.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { NoteVerifier } from '../../../protocol/log/signed-note.ts';

/** A witness that is asked for cosignatures. */
export interface Witness {
  /** Submission prefix, without a slash at the end. */
  url: string;
  /** What checks its cosignatures. */
  verifier: NoteVerifier;
}

const maxAnswerBytes = 16_384;

/**
 * Asks a witness over HTTP: a GET, or with a body a POST.
 * @throws AutoPayError `upstream_unreachable`, `upstream_error` for an answer that is too long
 */
export async function askWitness(
  { url, verifier }: Witness,
  { path, body, signal }: { path: string; body?: string; signal: AbortSignal },
): Promise<{ status: number; text: string }> {
  try {
    const post =
      body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'text/plain; charset=utf-8' } };
    const response = await fetch(`${url}/${path}`, { ...post, signal, redirect: 'error' });
    const message = `The answer of the witness ${verifier.name} has more than ${maxAnswerBytes} bytes.`;
    const bytes = await collectBytes(response.body, {
      maxBytes: maxAnswerBytes,
      tooLong: () => new AutoPayError('upstream_error', message),
    });
    return { status: response.status, text: bytes.toString() };
  } catch (cause) {
    if (cause instanceof AutoPayError) throw cause;
    throw new AutoPayError('upstream_unreachable', `The witness ${verifier.name} cannot be reached.`, { cause });
  }
}

/** The size that a witness names with 409 (C2SP tlog-witness); undefined if its answer has none. */
export function readConflict(text: string): number | undefined {
  const [, digits] = /^(0|[1-9][0-9]{0,15})\n$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
