import type { Hex } from '../bytes/hex.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';

/** The state of a log: what a relay signs, and can never take back. */
export interface LogCheckpoint {
  /** Which log it is. */
  origin: string;
  /** Number of entries. */
  size: number;
  /** RFC 6962 root over them, 32 bytes. */
  root: Uint8Array;
}

/** The origin of a relay's one log: its AutoPayLLM on the home chain, as CAIP-10 names it but for the separators. */
export function originOf({ chainId, autoPayLLM }: { chainId: number; autoPayLLM: Hex }): string {
  return `eip155/${chainId}/${autoPayLLM.toLowerCase()}`;
}

/** The text of a checkpoint (C2SP tlog-checkpoint, "Note text"), without extension lines. */
export function formatCheckpoint({ origin, size, root }: LogCheckpoint): string {
  if (!Number.isSafeInteger(size) || size < 0 || root.length !== 32)
    throw new RangeError('no checkpoint has these parts');
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

/**
 * Reads the text of a checkpoint. Extension lines are passed over.
 * @throws AutoPayError `invalid_encoding`
 */
export function parseCheckpoint(text: string): LogCheckpoint {
  const lines = text.split('\n');
  const [origin = '', sizeText = '', rootText = '', ...rest] = lines;
  const size = Number(sizeText);
  const root = Buffer.from(rootText, 'base64');
  const isRoot = root.length === 32 && root.toString('base64') === rootText;
  const isSize = /^(?:0|[1-9][0-9]{0,15})$/.test(sizeText) && Number.isSafeInteger(size);
  const endsRight = rest.length > 0 && rest.at(-1) === '' && rest.indexOf('') === rest.length - 1;
  if (origin !== '' && isSize && isRoot && endsRight) return { origin, size, root };
  throw new AutoPayError(
    'invalid_encoding',
    'This is not a checkpoint (C2SP tlog-checkpoint): it has the lines origin, size and root.',
  );
}
