import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { CarIndexer } from '@ipld/car/indexer';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { maxBlockBytes } from '../protocol/log/batch-block.ts';
import type { BlockSource } from './walk-log.ts';

/** Blocks of a CAR file, such as `GET /ipfs/{newest CID}?format=car` gives, or an archive. */
export interface CarSource extends BlockSource {
  /** CIDs that the file begins with: it need not be believed what they are of. */
  roots: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens a CAR file. Only where its blocks stand is read at first, so it may be larger than the memory; blocks that are longer than a
 * block of the log may be are passed over.
 * @throws AutoPayError `invalid_encoding` if it is no CAR; `get` does, for a block that is cut off
 */
export async function openCarSource(file: string): Promise<CarSource> {
  const refuse = (cause?: unknown) =>
    new AutoPayError('invalid_encoding', `${file} is no CAR file, or not a whole one.`, { cause });
  const places = new Map<string, { blockLength: number; blockOffset: number }>();
  let roots: string[];
  const stream = createReadStream(file);
  try {
    const indexer = await CarIndexer.fromIterable(stream);
    roots = (await indexer.getRoots()).map((root) => root.toString());
    for await (const { blockLength, blockOffset, cid } of indexer) {
      if (blockLength <= maxBlockBytes) places.set(cid.toString(), { blockLength, blockOffset });
    }
  } catch (cause) {
    throw refuse(cause);
  } finally {
    stream.destroy();
  }
  const handle = await open(file);
  return {
    roots,
    async get(cid) {
      const place = places.get(cid.toString());
      if (place === undefined) return undefined;
      const { blockLength, blockOffset } = place;
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(blockLength), 0, blockLength, blockOffset);
      if (bytesRead < blockLength) throw refuse();
      return buffer;
    },
    close: () => handle.close(),
  };
}
