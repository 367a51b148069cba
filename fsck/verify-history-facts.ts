import { priceBookAbi } from '../protocol/abi/price-book.ts';
import { zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { AuditChain } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { formatRanges, judgeCollected, type ChannelStep } from './channel-history.ts';
import { noteUse, type PriceJudge, type UseTime } from './price-judge.ts';
import type { HistoryFacts } from './read-history.ts';
import { createSignerCache } from './recover-receipt-signer.ts';
import { tryScanEntry } from './scan-entry.ts';
import { Refuted, type ClaimList, type ClaimName } from './verification.ts';
import { readDueOf } from './verify-channel.ts';

type Receipts = ReadonlyMap<string, SignedReceipt>;

/** How many differences a claim lists; it counts them all. */
const maxListed = 5;

/** A claim over many things: it holds if nothing speaks against it. */
function addSum(claims: ClaimList, name: ClaimName, problems: readonly string[], whenItHolds: string): void {
  const listed = problems.slice(0, maxListed).join('; ');
  const more = problems.length > maxListed ? `; and ${problems.length - maxListed} more` : '';
  claims.add(name, problems.length === 0, problems.length === 0 ? whenItHolds : `${listed}${more}`);
}

/** What speaks against a claim: as many as there are, though only the first are in words. */
function wordsOf({ problems, problemCounts }: HistoryFacts, name: ClaimName): string[] {
  const words = problems
    .filter(({ claim }) => claim === name)
    .map(({ callId, index, detail }) => `entry ${index}, call ${callId}: ${detail}`);
  const count = problemCounts.get(name) ?? 0;
  return count > words.length ? [...words, `${count - words.length} more entries`] : words;
}

/** The wallet's receipts are in the log, byte for byte, and were signed by receipt keys of their time. */
export async function checkHistoryReceipts(
  claims: ClaimList,
  parts: { chain: AuditChain; facts: HistoryFacts; anchor: ChainAnchor; receipts: Receipts },
): Promise<void> {
  const { chain, facts, anchor, receipts } = parts;
  if (receipts.size === 0) {
    claims.leave('receipt_logged', 'no receipts of the payer are at hand');
    claims.leave('relay_signed', 'no receipts of the payer are at hand; the log alone carries no signature');
    return;
  }
  await claims.run('receipt_logged', async () => {
    const absent = [...receipts].filter(([callId]) => !facts.logged.has(callId) && !differs(facts, callId));
    const untilMs = Number(anchor.anchoredAt) * 1_000 - (absent.length > 0 ? await chain.maxMergeDelayMs() : 0);
    const overdue = absent.filter(([, { signedAtMs }]) => signedAtMs < untilMs);
    const problems = [
      ...wordsOf(facts, 'receipt_logged'),
      ...overdue.map(
        ([callId]) =>
          `call ${callId} is in no entry of the log, and should be (autopay dispute open not-in-log ${callId})`,
      ),
    ];
    const waiting = absent.length - overdue.length;
    addSum(
      claims,
      'receipt_logged',
      problems,
      `${facts.logged.size} receipts of the wallet are logged entries, byte for byte${waiting > 0 ? `; ${waiting} of the last minutes wait for an anchor` : ''}`,
    );
  });
  await claims.run('relay_signed', () => checkSigners(claims, chain, receipts));
}

function differs({ problems }: HistoryFacts, callId: string): boolean {
  return problems.some((problem) => problem.claim === 'receipt_logged' && problem.callId === callId);
}

/** A key has one time, without gaps, so its first and last signature speak for all. */
async function checkSigners(claims: ClaimList, chain: AuditChain, receipts: Receipts): Promise<void> {
  const { chainId, contracts } = chain.deployment;
  const signerOf = createSignerCache({ chainId, verifyingContract: contracts.autoPayLLM });
  const uses = new Map<Hex, UseTime>();
  const problems: string[] = [];
  for (const [callId, signed] of receipts) {
    try {
      noteUse(uses, signerOf(signed), signed.signedAtMs);
    } catch (error) {
      problems.push(`the receipt of call ${callId} has no signature that fits: ${(error as Error).message}`);
    }
  }
  for (const [signer, { firstMs, lastMs }] of uses) {
    for (const atMs of [firstMs, lastMs]) {
      if (await chain.isReceiptKey(signer, atMs)) continue;
      problems.push(
        `${signer} signed receipts at ${atMs} ms, and was no receipt key of KeyRegistry ${contracts.keyRegistry} then`,
      );
    }
  }
  addSum(
    claims,
    'relay_signed',
    problems,
    `${receipts.size} receipts are signed by ${uses.size} receipt key(s) of KeyRegistry ${contracts.keyRegistry}, valid from the first signature to the last`,
  );
}

/** Channel by channel: nothing is missing, and what was collected is the running total of a receipt. */
export async function checkHistoryChannels(
  claims: ClaimList,
  { chain, facts, receipts }: { chain: AuditChain; facts: HistoryFacts; receipts: Receipts },
): Promise<void> {
  const gaps = wordsOf(facts, 'sequence_gap_free');
  for (const { channelId, missing } of facts.channels.values()) {
    if (missing.length > 0)
      gaps.push(`channel ${channelId}: the log has no entry for receipt(s) ${formatRanges(missing)}`);
  }
  addSum(
    claims,
    'sequence_gap_free',
    gaps,
    `the receipts of ${facts.channels.size} channel(s) follow one another without a gap, from each one's first`,
  );
  await claims.run('total_collected', () => checkHistoryTotals(claims, { chain, facts, receipts }));
}

async function checkHistoryTotals(
  claims: ClaimList,
  { chain, facts, receipts }: { chain: AuditChain; facts: HistoryFacts; receipts: Receipts },
): Promise<void> {
  const held = newestHeld(receipts);
  const wrong: string[] = [];
  const open: string[] = [];
  for (const history of facts.channels.values()) {
    const { channelId, settled, newest, collectedAt, missing } = history;
    if (settled === undefined) continue;
    const own = held.get(channelId) ?? [];
    const last = own.reduce((most, step) => (most && step.runningTotal <= most.runningTotal ? most : step), newest);
    const isRunningTotal = collectedAt !== undefined || own.some(({ runningTotal }) => runningTotal === settled);
    const verdict = await judgeCollected({
      settled,
      readDue: () => readDueOf(chain, channelId),
      known: last,
      isRunningTotal,
      isWhole: missing.length === 0,
    });
    if (verdict.ok === false) wrong.push(`channel ${channelId}: ${verdict.detail}`);
    if (verdict.ok === null) open.push(`channel ${channelId}: ${verdict.detail.replace(/^not checked: /, '')}`);
  }
  if (wrong.length === 0 && open.length > 0)
    return claims.leave('total_collected', open.slice(0, maxListed).join('; '));
  addSum(
    claims,
    'total_collected',
    wrong,
    `what the escrow has paid of ${facts.channels.size} channel(s) is the running total of a receipt of each, or nothing`,
  );
}

/** The wallet's receipts by channel. */
function newestHeld(receipts: Receipts): Map<Hex, ChannelStep[]> {
  const byChannel = new Map<Hex, ChannelStep[]>();
  for (const { entry } of receipts.values()) {
    const facts = tryScanEntry(entry);
    if (facts === undefined || facts.channelId === zeroBytes32) continue;
    const { channelId, sequence, runningTotal, amount } = facts;
    const known = byChannel.get(channelId) ?? [];
    known.push({ sequence, runningTotal, amount });
    byChannel.set(channelId, known);
  }
  return byChannel;
}

/** Tables were in force from the first call that was sold under them to the last, and no charge is above its price. */
export async function checkHistoryPrices(
  claims: ClaimList,
  { chain, facts, prices }: { chain: AuditChain; facts: HistoryFacts; prices: PriceJudge },
): Promise<void> {
  const { priceBook } = chain.deployment.contracts;
  await claims.run('prices_published', async () => {
    for (const [root, { firstMs, lastMs }] of prices.tables) {
      for (const atMs of [firstMs, lastMs]) {
        const args = [root, BigInt(Math.floor(atMs / 1_000))] as const;
        const contract = { address: priceBook, abi: priceBookAbi, functionName: 'isInForce' } as const;
        if (await chain.client.readContract({ ...contract, args })) continue;
        throw new Refuted(
          `PriceBook ${priceBook} did not have the price table ${root} in force at ${atMs} ms, when a call was admitted under it`,
        );
      }
    }
    claims.add(
      'prices_published',
      true,
      `PriceBook ${priceBook} had ${prices.tables.size} price table(s) in force from the first call under each to the last`,
    );
  });
  await claims.run('price', async () => {
    const problems = [...wordsOf(facts, 'price'), ...(await prices.checkRounds())];
    if (problems.length === 0 && prices.unknownCount > 0) {
      return claims.leave(
        'price',
        `${prices.unknownCount} charges go by price tables that are not at hand (--prices); ${prices.judgedCount} are within price times usage`,
      );
    }
    addSum(
      claims,
      'price',
      problems,
      `${prices.judgedCount} charges are within price times usage, by their published tables`,
    );
  });
}

/** No model day on which the payer called was counted beyond its limit. */
export async function checkHistoryBudgets(
  claims: ClaimList,
  { chain, facts }: { chain: AuditChain; facts: HistoryFacts },
): Promise<void> {
  await claims.run('budget_kept', async () => {
    const problems: string[] = [];
    for (const { model, day } of facts.modelDays.values()) {
      const { spent, limit } = await chain.readBudget(model, day);
      if (spent > limit)
        problems.push(`${model} was counted ${spent} AGPT wei on UTC day ${day}, and its limit was ${limit}`);
    }
    addSum(
      claims,
      'budget_kept',
      problems,
      `none of ${facts.modelDays.size} model days was counted beyond its limit in ModelBudgets`,
    );
  });
}
