import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { cidOfBlock } from '../../protocol/log/batch-block.ts';
import { createSweeper, replaceFile } from './replace-file.ts';
import { syncFolder } from './sync-folder.ts';

/** Content-addressed blocks on disk: raw bytes in files that are named by their CID. */
export interface BlockStore {
  /**
   * Stores a block and resolves once it MUST survive a loss of power: file and folder are synced. Storing it again
   * changes nothing.
   */
  put(bytes: Uint8Array): Promise<CID>;
  /**
   * The bytes of a block; undefined if it is not here.
   * @throws AutoPayError `verification_failed` if the file does not have the CID that it is named by.
   */
  get(cid: CID): Promise<Uint8Array | undefined>;
}

/** A block store in a folder, which is created at the first block. */
export function createBlockStore(folder: string): BlockStore {
  const sweep = createSweeper();
  return {
    async put(bytes) {
      await mkdir(folder, { recursive: true });
      const cid = cidOfBlock(bytes);
      await sweep(folder);
      await replaceFile(join(folder, cid.toString()), bytes);
      await syncFolder(folder);
      // The folder may be new, and its own name not durable.
      await syncFolder(dirname(folder));
      return cid;
    },
    async get(cid) {
      const bytes = await readFile(join(folder, cid.toString())).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (bytes === undefined || cidOfBlock(bytes).toString() === cid.toString()) return bytes;
      throw new AutoPayError(
        'verification_failed',
        `The stored block ${cid.toString()} is damaged. Restore it from a copy.`,
      );
    },
  };
}
