import { fromHex, zeroAddress, zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { ChannelHistory, formatRanges, judgeCollected } from './channel-history.ts';
import { callIdOf, channelIdOf, mayBeEntry, names, tryScanEntry, type EntryFacts } from './scan-entry.ts';
import { Refuted, type ClaimList } from './verification.ts';
import type { WalkedBlock } from './walk-log.ts';

/** An allowance is taken in whole billing units (docs/PROTOCOL.md, "Direct payments"). */
const billingUnit = 10n ** 18n / 1_250n;

/** A receipt of the wallet. */
interface HeldReceipt {
  signed: SignedReceipt;
  facts: EntryFacts;
}

/** The channel of a call, as the log has it from its end back to the call, beside what the wallet has of it. */
export interface ChannelView {
  history: ChannelHistory;
  /** The wallet's receipts of the channel, by sequence number. */
  held: ReadonlyMap<number, HeldReceipt>;
  /** What the escrow has of it, and has paid, atomic units; undefined if it could not be asked. */
  channel: { payer: Hex; token: Hex; settled: bigint } | undefined;
  read(block: WalkedBlock): void;
}

/** Makes the view of a call's channel; undefined without its receipt, and for calls that no channel paid for. */
export async function createChannelView(
  chain: AuditChain,
  { signedReceipt, receipts = [] }: { signedReceipt?: SignedReceipt; receipts?: readonly SignedReceipt[] },
): Promise<ChannelView | undefined> {
  if (signedReceipt === undefined || !mayBeEntry(signedReceipt.entry)) return undefined;
  const channelId = channelIdOf(signedReceipt.entry);
  if (channelId === zeroBytes32) return undefined;
  const id = fromHex(channelId, 32);
  const channel = await chain.readChannel(channelId).catch(() => undefined);
  const held = new Map<number, HeldReceipt>();
  for (const signed of [...receipts, signedReceipt]) {
    const facts =
      mayBeEntry(signed.entry) && names(signed.entry, 'channelId', id) ? tryScanEntry(signed.entry) : undefined;
    if (facts) held.set(facts.sequence, { signed, facts });
  }
  const token = held.values().next().value?.facts.token ?? zeroBytes32;
  const history = new ChannelHistory({ channelId, token, settled: channel?.settled });
  return {
    ...{ history, held, channel },
    read(block) {
      for (let position = block.entries.length - 1; position >= 0; position -= 1) {
        const entry = block.entries[position];
        if (entry && mayBeEntry(entry) && names(entry, 'channelId', id)) readEntry({ history, held }, entry);
      }
    },
  };
}

function readEntry({ history, held }: Pick<ChannelView, 'history' | 'held'>, entry: Uint8Array): void {
  const facts = tryScanEntry(entry);
  if (facts === undefined) return history.note('an entry of it is no receipt');
  const problem = history.add(facts);
  if (problem !== undefined) history.note(`call ${callIdOf(entry)}: ${problem}`);
  const own = held.get(facts.sequence);
  if (own && Buffer.compare(own.signed.entry, entry) !== 0) {
    history.note(
      `receipt ${facts.sequence} is logged as call ${callIdOf(entry)}, and the wallet's is call ${callIdOf(own.signed.entry)}`,
    );
  }
}

/**
 * Verifies that the channel's receipts follow one another without gap, and that what was collected is what they add up to.
 * @returns what the escrow has paid; undefined if that is not known
 */
export async function verifyChannel(
  claims: ClaimList,
  parts: { chain: AuditChain; receipt: CallReceipt; view: ChannelView | undefined; anchor: ChainAnchor },
): Promise<bigint | undefined> {
  const { chain, receipt, view, anchor } = parts;
  if (receipt.channelId === zeroBytes32) {
    claims.leave('sequence_gap_free', 'no channel paid for the call');
    await checkDirect(claims, chain, receipt);
    return undefined;
  }
  if (view === undefined) {
    const why = "the wallet has no receipt of the call; --all --payer reads a channel's whole history from the log";
    claims.leave('sequence_gap_free', why);
    const channel = await chain.readChannel(receipt.channelId).catch(() => undefined);
    await claims.run('total_collected', () => {
      // Without the receipt it may be a call of another chain, which the same log has.
      if (channel && channel.payer !== zeroAddress) requireTerms(receipt, channel);
      claims.leave('total_collected', why);
    });
    return channel?.settled;
  }
  await claims.run('sequence_gap_free', () => checkSequence(claims, { chain, view, anchor }));
  await claims.run('total_collected', () => checkCollected(claims, { chain, receipt, view }));
  return view.channel?.settled;
}

async function checkSequence(
  claims: ClaimList,
  { chain, view, anchor }: { chain: AuditChain; view: ChannelView; anchor: ChainAnchor },
): Promise<void> {
  const { history, held } = view;
  const problems = [...history.problems];
  if (history.missing.length > 0) problems.push(`the log has no entry for receipt(s) ${formatRanges(history.missing)}`);
  const overdue = await findOverdue({ chain, view, anchor });
  if (overdue.length > 0) {
    problems.push(
      `receipt(s) ${overdue.map(({ facts }) => facts.sequence).join(', ')} of this wallet are not in the log, and should be`,
    );
  }
  const { newest, oldest, channelId } = history;
  if (problems.length > 0 || !newest || !oldest) {
    claims.add(
      'sequence_gap_free',
      false,
      `channel ${channelId}: ${problems.join('; ') || 'the log has none of its receipts'}`,
    );
    return;
  }
  const before = [...held.keys()].filter((sequence) => sequence < oldest.sequence).length;
  const rest =
    oldest.sequence === 1
      ? ''
      : `; of the ${oldest.sequence - 1} before, this wallet has ${before} receipt(s) (--all reads them from the log)`;
  claims.add(
    'sequence_gap_free',
    true,
    `the log has receipts ${oldest.sequence} to ${newest.sequence} of channel ${channelId}, without a gap${rest}`,
  );
}

/** The wallet's receipts beyond the newest logged one that had time enough to come into the log. */
async function findOverdue(parts: {
  chain: AuditChain;
  view: ChannelView;
  anchor: ChainAnchor;
}): Promise<HeldReceipt[]> {
  const { chain, view, anchor } = parts;
  const newest = view.history.newest?.sequence ?? 0;
  const beyond = [...view.held.values()].filter(({ facts }) => facts.sequence > newest);
  if (beyond.length === 0) return [];
  const untilMs = Number(anchor.anchoredAt) * 1_000 - (await chain.maxMergeDelayMs());
  return beyond.filter(({ signed }) => signed.signedAtMs < untilMs);
}

async function checkCollected(
  claims: ClaimList,
  { chain, receipt, view }: { chain: AuditChain; receipt: CallReceipt; view: ChannelView },
): Promise<void> {
  const { history, held, channel } = view;
  if (channel === undefined) return claims.leave('total_collected', 'the escrow could not be asked');
  requireTerms(receipt, channel);
  const { settled } = channel;
  const { channelId } = history;
  const steps = [history.newest, ...[...held.values()].map(({ facts }) => facts)].flatMap((step) => step ?? []);
  const known = steps.reduce<(typeof steps)[number] | undefined>(
    (most, step) => (most && most.runningTotal >= step.runningTotal ? most : step),
    undefined,
  );
  const isRunningTotal =
    history.collectedAt !== undefined || steps.some(({ runningTotal }) => runningTotal === settled);
  const isWhole = history.oldest?.sequence === 1 && history.missing.length === 0;
  const readDue = () => readDueOf(chain, channelId);
  const { ok, detail } = await judgeCollected({ settled, readDue, known, isRunningTotal, isWhole });
  claims.add('total_collected', ok, `channel ${channelId}: ${detail}`);
}

/**
 * A receipt is in the money of its channel, and of its payer: in another token the same amount has another price.
 * @throws Refuted
 */
function requireTerms(receipt: CallReceipt, { payer, token }: { payer: Hex; token: Hex }): void {
  const { amount, channelId } = receipt;
  if (payer === zeroAddress) throw new Refuted(`the escrow has no channel ${channelId}, which the receipt names`);
  if (amount === 0n || (receipt.payer === payer && receipt.token === token)) return;
  throw new Refuted(
    `the receipt charges ${receipt.payer} in ${receipt.token}, and its channel ${channelId} is of ${payer}, in ${token}`,
  );
}

/** What was taken of a channel longer ago than a receipt may take into the log: the anchored log has to account for it. */
export async function readDueOf(chain: AuditChain, channelId: Hex): Promise<bigint> {
  return chain.settledBefore(channelId, await chain.maxMergeDelayMs());
}

/** A call that no channel paid for: what an allowance gave is on the chain by call, other payments are there by wallet. */
async function checkDirect(claims: ClaimList, chain: AuditChain, receipt: CallReceipt): Promise<void> {
  if (receipt.amount === 0n) return claims.add('total_collected', true, 'nothing was charged');
  await claims.run('total_collected', async () => {
    const cost = await chain.costOfCall(receipt.callId);
    if (cost === 0n)
      return claims.leave('total_collected', 'the call has a payment of its own; GET /v1/payments tells of it');
    const isFine = cost >= receipt.amount && cost - receipt.amount < billingUnit;
    claims.add(
      'total_collected',
      isFine,
      `the allowance paid ${cost} for the call, and the receipt says ${receipt.amount}, to be rounded up to a billing unit`,
    );
  });
}
