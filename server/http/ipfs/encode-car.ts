import { CarWriter } from '@ipld/car/writer';
import type { CID } from 'multiformats/cid';
import type { DagBlock } from '../../audit/walk-dag.ts';

/**
 * The bytes of a CAR (version 1) with one root, piece by piece: the next block is asked for once the one before has been taken.
 * What the blocks throw is thrown after their pieces, so that an archive that is not whole does not end as one that is.
 */
export async function* encodeCar(root: CID, blocks: AsyncIterable<DagBlock>): AsyncGenerator<Uint8Array> {
  const { writer, out } = CarWriter.create([root]);
  const fed = (async () => {
    try {
      for await (const block of blocks) await writer.put(block);
    } finally {
      await writer.close();
    }
  })();
  // It is awaited below; until then its failure must not count as unhandled.
  fed.catch(() => undefined);
  yield* out;
  await fed;
}
