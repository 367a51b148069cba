import { fromHex } from '../protocol/bytes/hex.ts';
import { cidOfDigest } from '../protocol/log/batch-block.ts';
import type { AuditChain } from './audit-chain.ts';
import { readNewestAnchor, type ChainAnchor } from './chain-reader.ts';
import { Refuted, type ClaimList } from './verification.ts';
import type { LogHead } from './walk-log.ts';

/** The head of the log that an anchor names. */
export function headOf(anchor: ChainAnchor): LogHead {
  return { cid: cidOfDigest(fromHex(anchor.cid, 32)), size: Number(anchor.size), root: fromHex(anchor.root, 32) };
}

/**
 * The newest anchor, which the contract has to confirm.
 * @throws Refuted if there is none, or if the contract denies it
 */
export async function findAnchor(chain: AuditChain, claims: ClaimList): Promise<ChainAnchor> {
  const { chainId, contracts, deployedAtBlock } = chain.deployment;
  const { auditLog } = contracts;
  const actual = await chain.client.getChainId();
  if (actual !== chainId) throw new Error(`the endpoint is on chain ${actual}, the contracts are on ${chainId}`);
  const anchor = await readNewestAnchor({ client: chain.client, auditLog, deployedAtBlock: BigInt(deployedAtBlock) });
  if (anchor === undefined) {
    throw new Refuted(`AuditLog ${auditLog} has no anchor yet; wait for the relay to anchor, and try again`);
  }
  claims.demand('anchored', await chain.isAnchored(anchor), {
    detail: `AuditLog ${auditLog} stores the newest anchor: ${anchor.size} entries, root ${anchor.root}, transaction ${anchor.transactionHash}`,
    otherwise: `AuditLog ${auditLog} denies the anchor of its own event (size ${anchor.size})`,
  });
  return anchor;
}
