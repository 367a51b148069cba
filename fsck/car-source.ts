import { CarIndexedReader } from '@ipld/car/indexed-reader';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { BlockSource } from './walk-log.ts';

/** IPFS nodes exchange blocks of at most 2 MiB; some slack, as for gateways. */
const maxBlockBytes = 8_388_608;

/** Blocks of a CAR file, such as `GET /ipfs/{newest CID}?format=car` gives, or an archive. */
export interface CarSource extends BlockSource {
  /** CIDs that the file begins with: it need not be believed what they are of. */
  roots: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens a CAR file. Only where its blocks stand is read at first, so it may be larger than the memory.
 * @throws AutoPayError `invalid_encoding` if it is no CAR; `get` does, for a block that is cut off
 */
export async function openCarSource(file: string): Promise<CarSource> {
  const refuse = (cause: unknown) => {
    throw new AutoPayError('invalid_encoding', `${file} is no CAR file, or not a whole one.`, { cause });
  };
  const reader = await CarIndexedReader.fromFile(file).catch(refuse);
  const roots = await reader.getRoots();
  return {
    roots: roots.map((root) => root.toString()),
    async get(cid) {
      const block = await reader.get(cid).catch(refuse);
      return block === undefined || block.bytes.length > maxBlockBytes ? undefined : block.bytes;
    },
    close: () => reader.close(),
  };
}
