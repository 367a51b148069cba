/** Error bodies are short: what is longer is not read as one. */
export const maxErrorBytes = 262_144;

/** An answer that is expected to be an error. */
export interface ErrorBody {
  /** Empty if it is too long. */
  bytes: Uint8Array;
  /** The same answer, unread, to hand on. */
  response: Response;
}

/** Reads the body of an answer that is expected to be an error. */
export async function readErrorBody(answer: Response): Promise<ErrorBody> {
  const { status, statusText, headers } = answer;
  const bytes = (await answer.bytes()) as Uint8Array<ArrayBuffer>;
  const response = new Response(bytes, { status, statusText, headers });
  return { bytes: bytes.length > maxErrorBytes ? new Uint8Array() : bytes, response };
}
