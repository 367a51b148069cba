import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { StoredReceipt } from '../receipt-store.ts';
import type { WalletChannel } from '../wallet-state.ts';
import { HeldReceipts, type SequenceHole } from './find-contradictions.ts';
import { findMissingEntries, findRewrittenEntries, findSettlement, type LogView } from './find-log-fraud.ts';
import { findWrongDelivery, judgePrice, type PriceFacts } from './find-wrong-price.ts';
import { holdReceipt, isRecent, type Finding, type HeldReceipt } from './held-receipt.ts';
import { refusalOf } from './open-dispute.ts';

/** Receipts whose conversion the chain is asked for at once. */
const askedAtOnce = 32;

/** A channel of the wallet's. */
export type OwnChannel = Pick<WalletChannel, 'channelId' | 'payer' | 'token'>;

/** What a search works with. */
export interface FraudSources {
  deployment: OpenDeployment;
  /** Every receipt that the wallet was given, also several of one call. */
  receipts: readonly StoredReceipt[];
  /** The wallet's channels with this deployment, also those without a receipt. */
  channels: readonly OwnChannel[];
  prices: PriceFacts;
  /** undefined: the blocks were not at hand; then what only the log can tell is left open. */
  log: LogView | undefined;
}

/** What a search found. */
export interface FraudReport {
  /** Each is evidence that the contract would accept in the next block. */
  findings: Finding[];
  /** Receipts that the wallet does not have. */
  holes: SequenceHole[];
  /** What could not be judged, or is no evidence now, with the reason in words. */
  open: string[];
  /** How many receipts of how many channels were judged. */
  judged: { receipts: number; channels: number };
}

/**
 * Looks through all receipts of a wallet for what BillingDisputes would refund: by the receipts themselves, the published
 * prices, the log and the escrow. It accuses nobody of what an honest relay may do: receipts that were lost, calls in flight,
 * collections that the log need not account for yet. Whatever it finds, the contract is asked first whether it would hold.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function findFraud(sources: FraudSources): Promise<FraudReport> {
  const { deployment, log, prices } = sources;
  const open: string[] = [];
  const held = await selectReceipts(sources, open);
  const contradictions = new HeldReceipts(Number.POSITIVE_INFINITY);
  let candidates: Finding[] = held.flatMap((receipt) => contradictions.add(receipt));
  const now = await deployment.now();
  const recent = held.filter((receipt) => isRecent(receipt, now));
  const tooOld = held.length - recent.length;
  if (tooOld > 0) open.push(`${tooOld} receipts were signed more than 30 days ago, and are no evidence any more`);
  for (let at = 0; at < recent.length; at += askedAtOnce) {
    const part = recent.slice(at, at + askedAtOnce);
    const judgements = await Promise.all(part.map((receipt) => judgePrice(receipt, prices)));
    for (const [i, judgement] of judgements.entries()) {
      if (typeof judgement === 'object' && 'finding' in judgement) {
        candidates.push(judgement.finding);
        continue;
      }
      if (judgement !== 'fits') open.push(judgement.unjudged);
      candidates.push(...part.slice(i, i + 1).flatMap((one) => findWrongDelivery(one) ?? []));
    }
  }
  if (log) {
    candidates = candidates.concat(findRewrittenEntries(log));
    candidates = candidates.concat(await findMissingEntries(deployment, { held: recent, log }));
  }
  const channels = listChannels(sources.channels, held);
  for (const channelId of channels.keys()) {
    const ofChannel = held.filter(({ receipt }) => receipt.channelId === channelId);
    const settlement = await findSettlement(deployment, { channelId, held: ofChannel, log });
    if (settlement === undefined) continue;
    if ('evidence' in settlement) candidates.push(settlement);
    else open.push(settlement.unjudged);
  }
  const findings = await keepAccepted(deployment, { candidates, channels, open });
  // A channel that only receipts name which did not fit is not the wallet's.
  const own = new Set(held.filter(({ problems }) => problems.length === 0).map(({ receipt }) => receipt.channelId));
  return {
    findings,
    holes: contradictions.holes().filter(({ channelId }) => own.has(channelId)),
    open,
    judged: { receipts: held.length, channels: channels.size },
  };
}

/** The channels that are asked about: the wallet's, and those of its receipts. */
function listChannels(own: readonly OwnChannel[], held: readonly HeldReceipt[]): Map<Hex, OwnChannel> {
  return new Map([...held.map(({ receipt }) => receipt), ...own].map((channel) => [channel.channelId, channel]));
}

/** The receipts of this deployment that bind the relay: of channels, signed with a key of its. */
async function selectReceipts({ deployment, receipts }: FraudSources, open: string[]): Promise<HeldReceipt[]> {
  const { chainId, contracts } = deployment;
  const held = receipts
    .filter((stored) => stored.chainId === chainId && stored.payee.toLowerCase() === contracts.autoPayLLM)
    .flatMap((stored) => holdReceipt(stored) ?? [])
    .toSorted((one, other) => one.receipt.sequence - other.receipt.sequence);
  const keys = new Map<string, Promise<boolean>>();
  const isKey = (signer: Hex, signedAtMs: number): Promise<boolean> => {
    const at = BigInt(Math.floor(signedAtMs / 1_000));
    const known = keys.get(`${signer}:${at}`) ?? readIsKey(deployment, signer, at);
    keys.set(`${signer}:${at}`, known);
    return known;
  };
  // A key has one time, without gaps: if it was a key at the first and the last signature, it was at all of them.
  const trusted = new Set<Hex>();
  for (const signer of new Set(held.map((one) => one.signer))) {
    const times = held.filter((one) => one.signer === signer).map(({ signedAtMs }) => signedAtMs);
    const [first, last] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
    if ((await isKey(signer, first)) && (await isKey(signer, last))) trusted.add(signer);
  }
  const judged: HeldReceipt[] = [];
  for (const one of held) {
    if (trusted.has(one.signer) || (await isKey(one.signer, one.signedAtMs))) judged.push(one);
    else
      open.push(`call ${one.receipt.callId}: ${one.signer}, which signed the receipt, was no key of the relay's then`);
  }
  return judged;
}

async function readIsKey({ reader, contracts }: OpenDeployment, signer: Hex, at: bigint): Promise<boolean> {
  const registry = { address: contracts.keyRegistry, abi: keyRegistryAbi } as const;
  try {
    return await reader.readContract({ ...registry, functionName: 'isValidAt', args: [signer, at] });
  } catch (error) {
    throw asChainError(error, 'Reading the receipt keys');
  }
}

/** Asks the contract of each candidate whether it would hold now, as the payer would show it. */
async function keepAccepted(
  deployment: OpenDeployment,
  parts: { candidates: readonly Finding[]; channels: ReadonlyMap<Hex, OwnChannel>; open: string[] },
): Promise<Finding[]> {
  const { candidates, channels, open } = parts;
  const [anyChannel] = channels.values();
  const findings: Finding[] = [];
  for (const finding of candidates) {
    const { evidence, channelId, reason } = finding;
    // Of another's channel anybody may show what the log contradicts.
    const own = channels.get(channelId) ?? anyChannel;
    if (own === undefined) continue;
    const unit = unitOfToken(deployment, own.token);
    const refusal = await refusalOf(deployment, { evidence, account: own.payer, unit });
    if (refusal === undefined) findings.push(finding);
    else open.push(`${evidence.kind}: ${reason}. ${refusal}`);
  }
  return findings;
}
