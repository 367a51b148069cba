import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { cidOfDigest } from '../../protocol/log/batch-block.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { listAnchored } from '../chain/list-anchored.ts';
import { searchBack } from '../chain/search-back.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { requireGrowth } from './grow-tree.ts';
import type { LogTree } from './log-tree.ts';
import { requireRoot } from './open-tree.ts';

/** What the log is compared with. */
export interface CheckAnchoredOptions {
  client: Pick<ChainClient, 'readContract' | 'getTransactionReceipt' | 'getBlockNumber' | 'getContractEvents'>;
  auditLog: Hex;
  /** Where the search for an anchor ends that the ledger has no transaction of. */
  deployedAtBlock: number;
  maxBlocksPerQuery: number;
  tree: Pick<LogTree, 'size' | 'root'>;
  ledger: Pick<BackgroundLedger, 'findAnchorOf' | 'findBlock'>;
}

/** What the chain's event says of an anchor. */
interface Anchored {
  root: Hex;
  /** SHA-256 digest of the block. */
  cid: Hex;
}

/**
 * Compares the log with the newest anchor on a chain, in size, root and block: it is the one witness of what was signed that outlives the
 * whole data folder, so that a copy of it which is put back and sold from again is noticed, though it has grown longer since.
 *
 * @throws AutoPayError `log_rolled_back` if the log is shorter, or its blocks are of older books; `log_forked` if it has another root;
 *   `chain_unavailable`, also where the endpoint has no event of the anchor
 */
export async function checkAnchored(options: CheckAnchoredOptions): Promise<void> {
  const { client, auditLog, ledger, tree } = options;
  const latest = await callChain('the size of the newest anchor', () =>
    client.readContract({ address: auditLog, abi: auditLogAbi, functionName: 'latestSize' }),
  );
  const size = Number(latest);
  requireGrowth(size, tree.size());
  if (size === 0) return;
  const anchored = (await findByTransaction(options, size)) ?? (await findByEvent(options, size));
  requireRoot({ size, root: fromHex(anchored.root, 32) }, await tree.root(size));
  const cid = cidOfDigest(fromHex(anchored.cid, 32)).toString();
  const block = await ledger.findBlock(size);
  if (block?.cid === cid) return;
  const found = block === undefined ? 'no block that ends there' : `block ${block.cid}`;
  throw new AutoPayError(
    'log_rolled_back',
    `Block ${cid} is anchored for the first ${size} log entries, and the ledger has ${found}: these are not the newest books. Put the newest ledger.sqlite and blocks folder in their place.`,
    { facts: { size, cid } },
  );
}

/** By the transaction that the ledger has of it: one question. */
async function findByTransaction(
  { auditLog, client, ledger }: CheckAnchoredOptions,
  size: number,
): Promise<Anchored | undefined> {
  const stored = await ledger.findAnchorOf(size - 1);
  if (stored === undefined) return undefined;
  // An endpoint may not know an old transaction; then its events are looked through.
  const receipt = await client.getTransactionReceipt({ hash: stored.transactionHash }).catch(() => undefined);
  return listAnchored(receipt?.logs ?? [], auditLog).find((anchor) => Number(anchor.size) === size);
}

/** From the newest block back: where the ledger is an older copy, the anchor is newer. */
async function findByEvent(options: CheckAnchoredOptions, size: number): Promise<Anchored> {
  const { auditLog, client, deployedAtBlock: oldest, maxBlocksPerQuery } = options;
  const newest = Number(await callChain('the newest block', () => client.getBlockNumber()));
  const event = { address: auditLog, abi: auditLogAbi, eventName: 'Anchored', args: { size: BigInt(size) } } as const;
  const found = await searchBack({ newest, oldest, maxBlocksPerQuery }, async (range) => {
    const [first] = await callChain(`the anchor of ${size} entries`, () =>
      client.getContractEvents({ ...event, ...range, strict: true }),
    );
    return first?.args;
  });
  if (found) return found;
  throw new AutoPayError(
    'chain_unavailable',
    `AuditLog ${auditLog} has an anchor of ${size} entries, and the endpoint no event of it since block ${oldest}. Use an endpoint that has all events.`,
  );
}
