import type { CID } from 'multiformats/cid';
import { encodeFunctionData } from 'viem';
import { openSender, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import type { BlockSource } from '../../fsck/walk-log.ts';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { cidOfBlock, encodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { merkleRoot } from '../../protocol/merkle/inclusion.ts';

/** Blocks by CID, as whoever holds them gives them out. */
export class ForgedBlocks implements BlockSource {
  readonly #blocks = new Map<string, Uint8Array>();

  put(bytes: Uint8Array): CID {
    const cid = cidOfBlock(bytes);
    this.#blocks.set(cid.toString(), bytes);
    return cid;
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    return this.#blocks.get(cid.toString());
  }
}

/** What a relay says with an anchor. */
export interface ForgedAnchor {
  size: number;
  root: Hex;
  /** Of a block that holds the whole log. */
  cid: CID;
}

/** Puts a whole log into one block. */
export function forgeLog(blocks: ForgedBlocks, entries: readonly Uint8Array[]): ForgedAnchor {
  const cid = blocks.put(encodeBatchBlock({ previous: null, start: 0, frontier: [], entries }));
  return { size: entries.length, root: toHex(merkleRoot(entries.map((entry) => hashLeaf(entry)))), cid };
}

/** Anchors whatever is said, with the relay's own key: its software anchors nothing but its log. */
export async function anchorFalsely(
  deployment: OpenDeployment,
  { relayKey, anchor }: { relayKey: Hex; anchor: ForgedAnchor },
): Promise<void> {
  const { size, root, cid } = anchor;
  const args = [BigInt(size), root, toHex(cid.multihash.digest)] as const;
  const data = encodeFunctionData({ abi: auditLogAbi, functionName: 'anchor', args });
  await openSender(deployment, relayKey).send('The anchor', { to: deployment.contracts.auditLog, data });
}
