import { cidOfBlock } from '../protocol/log/batch-block.ts';
import type { BlockSource } from './walk-log.ts';

/**
 * Several sources as one: the first that gives the bytes that a CID names. One that is broken, or lies, stands in the way of no other;
 * what it gave counts only if no other has the block.
 */
export function createFirstSource(sources: readonly BlockSource[]): BlockSource {
  return {
    async get(cid) {
      let wrong: Uint8Array | undefined;
      let failure: Error | undefined;
      for (const source of sources) {
        try {
          const bytes = await source.get(cid);
          if (bytes && cidOfBlock(bytes).equals(cid)) return bytes;
          wrong ??= bytes;
        } catch (error) {
          failure ??= error instanceof Error ? error : new Error(String(error));
        }
      }
      if (wrong === undefined && failure !== undefined) throw failure;
      return wrong;
    },
  };
}
