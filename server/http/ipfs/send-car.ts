import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CID } from 'multiformats/cid';
import { isIdentity, type DagBlock } from '../../audit/walk-dag.ts';
import { encodeCar } from './encode-car.ts';

/** Blocks that are there, or come one at a time. */
type BlockList = readonly DagBlock[] | AsyncIterable<DagBlock>;

/** A block has a million bytes at most: so a stream holds one or two of them. */
const bufferedBytes = 65_536;

/**
 * Sends a CAR at the pace of its client, never more than a block ahead. A client that goes away, or takes nothing for `idleTimeoutMs`, ends it.
 * An archive that cannot be finished ends without the last chunk of the chunked coding.
 *
 * @throws what the blocks throw
 */
export async function sendCar(
  response: ServerResponse,
  { root, blocks, idleTimeoutMs }: { root: CID; blocks: readonly BlockList[]; idleTimeoutMs: number },
): Promise<void> {
  let failure: { error: unknown } | undefined;
  async function* sent(): AsyncGenerator<DagBlock> {
    try {
      for (const list of blocks) {
        // A block within its own CID is never sent.
        for await (const block of list) if (!isIdentity(block.cid)) yield block;
      }
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  response.setTimeout(idleTimeoutMs, () => response.destroy());
  const pieces = Readable.from(encodeCar(root, sent()), { objectMode: false, highWaterMark: bufferedBytes });
  try {
    await pipeline(pieces, response);
  } catch {
    // Without a failure of its own, the archive ended because its client did.
    if (failure !== undefined) throw failure.error;
  } finally {
    response.setTimeout(0);
  }
}
