import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { requireGrowth } from './grow-tree.ts';
import type { LogTree } from './log-tree.ts';

/**
 * Compares the log with the newest anchor on a chain: it is the one witness of what was signed that outlives the whole data folder,
 * so that a copy of it which is put back and sold from again is noticed.
 *
 * @throws AutoPayError `log_rolled_back`, `chain_unavailable`
 */
export async function checkAnchored(options: {
  client: Pick<ChainClient, 'readContract'>;
  auditLog: Hex;
  tree: Pick<LogTree, 'size'>;
}): Promise<void> {
  const { client, auditLog, tree } = options;
  const anchored = await callChain('the size of the newest anchor', () =>
    client.readContract({ address: auditLog, abi: auditLogAbi, functionName: 'latestSize' }),
  );
  requireGrowth(Number(anchored), tree.size());
}
