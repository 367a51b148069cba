import { toHex, zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { openAuditChain, type AuditChain, type AuditDeployment } from './audit-chain.ts';
import { readAnchors, type ChainAnchor } from './chain-reader.ts';
import { createPriceJudge } from './price-judge.ts';
import { createConversionReader } from './read-conversion.ts';
import { readHistory, type HistoryFacts, type HistoryProblem } from './read-history.ts';
import { callIdOf, mayBeEntry } from './scan-entry.ts';
import { summarizeHistory, type HistorySummary } from './summarize-history.ts';
import { ClaimList, type CheckedClaim, type ClaimName } from './verification.ts';
import { findAnchor, headOf } from './find-anchor.ts';
import { describeBlocks } from './find-call.ts';
import {
  checkHistoryBudgets,
  checkHistoryChannels,
  checkHistoryPrices,
  checkHistoryReceipts,
} from './verify-history-facts.ts';
import { verifyLogState, type LogMemory, type LogVerdict } from './verify-log-state.ts';
import type { LogSource } from './verify-checkpoint.ts';
import { LogWalk, type BlockSource } from './walk-log.ts';

/** What the verification of a payer's whole history starts from. */
export interface VerifyHistoryOptions extends AuditDeployment, LogMemory {
  /** Whose calls. */
  payer: Hex;
  /** The payer's receipts of this chain, where the wallet is at hand. */
  receipts?: readonly SignedReceipt[];
  /** Calls that were paid on another chain: they are in the same log, and verified there. */
  elsewhere?: ReadonlySet<string>;
  /** Price tables, from anywhere. */
  priceTables?: readonly (readonly PriceRow[])[];
  blockSource: BlockSource;
  /** The relay's own log; with it, what the relay signs now is held against what is anchored. */
  logSource?: LogSource;
  /** Told after each block: how far back the log is read. */
  onProgress?: (progress: { start: number; size: number }) => void;
}

/** What was found out. */
export interface HistoryVerification extends LogVerdict {
  /** No claim fails, and those that a verification is about were checked. */
  ok: boolean;
  claims: CheckedClaim[];
  /** What does not hold, entry by entry: the first 1,000. */
  problems: readonly HistoryProblem[];
  problemCount: number;
  /** Absent if the log could not be read. */
  summary?: HistorySummary;
}

/** Without these nothing is verified. */
const mandatoryClaims: readonly ClaimName[] = ['anchored', 'blocks_content_addressed', 'codec', 'included'];

/**
 * Verifies everything that the anchored log has of a payer, from the chain and content-addressed blocks alone. The whole log is read:
 * what all entries share (blocks, anchors, price tables, keys, budgets) is checked once. It never throws for what it finds.
 */
export async function verifyHistory(options: VerifyHistoryOptions): Promise<HistoryVerification> {
  const claims = new ClaimList();
  const chain = openAuditChain(options);
  const mandatory = [...mandatoryClaims];
  let anchor: ChainAnchor | undefined;
  await claims.run('anchored', async () => {
    anchor = await findAnchor(chain, claims);
  });
  const found = anchor && (await verifyAnchored(claims, { chain, options, anchor, mandatory }));
  const { facts, verdict, summary } = found ?? {};
  return {
    ok: claims.isVerified(mandatory),
    claims: claims.all,
    problems: facts?.problems ?? [],
    problemCount: facts?.problemCount ?? 0,
    ...verdict,
    ...(summary && { summary }),
  };
}

interface Anchored {
  chain: AuditChain;
  options: VerifyHistoryOptions;
  anchor: ChainAnchor;
  /** Grows by what this wallet's history has to be checked for. */
  mandatory: ClaimName[];
}

async function verifyAnchored(
  claims: ClaimList,
  parts: Anchored,
): Promise<{ facts?: HistoryFacts; verdict: LogVerdict; summary?: HistorySummary }> {
  const { chain, options, anchor, mandatory } = parts;
  const { chainId, contracts, payer } = options;
  const walk = new LogWalk(options.blockSource, headOf(anchor));
  const receipts = new Map(
    options.receipts?.filter(({ entry }) => mayBeEntry(entry)).map((signed) => [callIdOf(signed.entry), signed]),
  );
  const prices = createPriceJudge({ tables: options.priceTables ?? [], readRound: createConversionReader(chain) });
  let facts: HistoryFacts | undefined;
  await claims.run('blocks_content_addressed', async () => {
    // Asked before the log is read, which takes a while: what is collected meanwhile is none of its business.
    const channels = await chain.listChannels(payer);
    facts = await readHistory({
      ...options,
      walk,
      receipts,
      channels,
      prices,
      readChannel: createChannelReader(chain),
    });
    claims.add('blocks_content_addressed', true, describeBlocks(walk, anchor));
  });
  const origin = originOf({ chainId, autoPayLLM: contracts.autoPayLLM });
  if (facts === undefined) return { verdict: {} };
  await checkAnchors(claims, { chain, walk });
  const verdict = await verifyLogState(claims, { ...options, chain, origin, anchor, walk });
  noteEntries(claims, facts, anchor);
  if (receipts.size > 0) mandatory.push('receipt_logged', 'relay_signed');
  await checkHistoryReceipts(claims, { chain, facts, anchor, receipts });
  await checkHistoryChannels(claims, { chain, facts, receipts });
  await checkHistoryPrices(claims, { chain, facts, prices });
  await checkHistoryBudgets(claims, { chain, facts });
  return {
    facts,
    verdict,
    summary: await summarizeHistory({ chain, facts, size: walk.size, blockCount: walk.blockCount }),
  };
}

function createChannelReader(chain: AuditChain) {
  return async (channelId: Hex): Promise<{ token: Hex; settled: bigint } | undefined> => {
    const { payer, token, settled } = await chain.readChannel(channelId);
    return payer === zeroAddress ? undefined : { token, settled };
  };
}

/** Each anchor that the chain has is the root of the one log that was read. */
async function checkAnchors(claims: ClaimList, { chain, walk }: { chain: AuditChain; walk: LogWalk }): Promise<void> {
  const { contracts, deployedAtBlock } = chain.deployment;
  await claims.run('anchors_agree', async () => {
    const source = { client: chain.client, auditLog: contracts.auditLog, deployedAtBlock: BigInt(deployedAtBlock) };
    // One that came while the log was read is ahead of it.
    const anchors = (await readAnchors(source)).filter(({ size }) => size <= BigInt(walk.size));
    for (const { size, root, transactionHash } of anchors) {
      const found = toHex(await walk.rootAt(Number(size)));
      if (found === root) continue;
      const detail = `the anchor of ${size} entries (transaction ${transactionHash}) has the root ${root}, and the log that is anchored now has ${found} there: it was rewritten`;
      claims.add('anchors_agree', false, detail);
      return;
    }
    claims.add(
      'anchors_agree',
      true,
      `all ${anchors.length} anchors of AuditLog ${contracts.auditLog} are roots of this one log`,
    );
  });
}

/** What holds of all entries by the way they were read. */
function noteEntries(
  claims: ClaimList,
  { entryCount, elsewhereCount, problems, problemCounts }: HistoryFacts,
  anchor: ChainAnchor,
): void {
  const broken = problemCounts.get('codec') ?? 0;
  const first = problems.find(({ claim }) => claim === 'codec');
  const elsewhere = elsewhereCount > 0 ? ` (${elsewhereCount} more were paid on another chain)` : '';
  claims.add(
    'codec',
    broken === 0,
    broken === 0
      ? `each of the payer's ${entryCount} entries is the canonical encoding of a CallReceipt${elsewhere}`
      : `${broken} of the payer's entries are no receipts${first ? `, one at index ${first.index}` : ''}`,
  );
  claims.add(
    'included',
    true,
    `all ${anchor.size} leaves were hashed: they lead to the anchored root, so each entry stands where it was read`,
  );
}
