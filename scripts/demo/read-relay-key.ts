import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { StackFile } from '../stack.ts';

/** The key of a local stack's relay, with which a demo does what the relay's software refuses to do. */
export async function readRelayKey(stack: StackFile): Promise<Hex> {
  return (await readFile(join(stack.dataDir, 'keys', 'relay.key'), 'utf8')).trim() as Hex;
}
