import { randomBytes } from 'node:crypto';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type {
  BudgetTerms,
  ChargeResult,
  DirectPayment,
  Funds,
  Ledger,
  SpendingScope,
} from '../../server/ledger/ledger.ts';
import type { TestChannel } from './deploy-stack.ts';

/** One call that a test puts through the ledger as the relay would. */
export interface TestCall {
  ledger: Ledger;
  /** Null: a free route, or a payment of its own. */
  channel: TestChannel | null;
  /** Pays where there is no channel. */
  payment?: DirectPayment;
  /** The most that it may cost; the amount, unless told otherwise. */
  quote?: bigint;
  scopes?: readonly SpendingScope[];
  /** The voucher; above all before it. */
  cumulativeAmount?: bigint;
  amount: bigint;
  token: Hex;
  model?: string;
  provider?: string;
  priceRoot?: Hex;
  /** Now, unless told otherwise. */
  admittedAtMs?: number;
  /** What the token counts, as BudgetTerms; that of USDC by the local deployment, unless told otherwise. */
  rate?: bigint;
  /** Prompt tokens; as many as the amount, unless told otherwise. */
  tokens?: number;
}

/** A budget as the local deployment sets it for USDC: 1,000,000 AGPT per day, and 100 AGPT per USDC. */
export function localBudget(atMs: number): BudgetTerms {
  return { day: Math.floor(atMs / 86_400_000), limitAgpt: 10n ** 24n, rate: 10n ** 32n };
}

function fundsOf({ channel, payment, amount, cumulativeAmount = amount }: TestCall): Funds | null {
  if (channel === null) return payment === undefined ? null : { kind: 'direct', payment };
  const { channelId } = channel;
  return { kind: 'voucher', voucher: { channelId, cumulativeAmount, signature: channel.sign(cumulativeAmount) } };
}

/** Reserves and charges a call, and requires that both go well. */
export async function chargeCall(call: TestCall): Promise<ChargeResult> {
  const { ledger, channel, amount, model = 'sim-small', provider = 'simulated', priceRoot = zeroBytes32 } = call;
  const callId = createCallId();
  const isFree = channel === null && call.payment === undefined;
  const { admittedAtMs = Date.now() } = call;
  const outcome = await ledger.reserve({
    callId,
    funds: fundsOf(call),
    ...{ scopes: call.scopes ?? [], idempotency: null, maxUnsettled: null, keyId: null },
    token: call.token,
    quote: call.quote ?? amount,
    model,
    budget: isFree ? null : { ...localBudget(admittedAtMs), ...(call.rate === undefined ? {} : { rate: call.rate }) },
    admittedAtMs,
    leaseUntilMs: Date.now() + 60_000,
  });
  if (!outcome.ok) throw new Error(`the call was refused: ${outcome.refusal.code}`);
  await outcome.durable;
  const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
  return ledger.charge({
    callId,
    metered: amount,
    receipt: {
      token: isFree ? zeroAddress : call.token,
      priceRoot,
      oracleRound: 0n,
      usage: { prompt: call.tokens ?? Number(amount), completion: 0, ...none },
      requestCommitment: toHex(randomBytes(32)),
      responseCommitment: toHex(randomBytes(32)),
      attemptsDigest: toHex(randomBytes(32)),
      evidenceTier: 'relay-signed',
      usageKind: 'exact',
      modelAsked: model,
      modelServed: model,
      provider,
      deployment: `${provider}@local`,
    },
    requestSalt: randomBytes(32),
    responseSalt: randomBytes(32),
    attempts: [],
    answer: null,
  });
}
