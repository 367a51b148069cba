import { zeroBytes32 } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { idOfName, type AuditChain, type BookedPart } from './audit-chain.ts';
import type { ClaimList } from './verification.ts';

const dayMs = 86_400_000;

/** The UTC day of a call: that of its admission. */
export function dayOf(admittedAtMs: number): number {
  return Math.floor(admittedAtMs / dayMs);
}

/**
 * Verifies that the model's budget of the call's day was kept, and says how far the call's money is booked.
 * @param parts.settled what the escrow has paid of the call's channel; undefined without one, or if it is not known
 */
export async function verifySpending(
  claims: ClaimList,
  parts: { chain: AuditChain; receipt: CallReceipt; index: number; settled: bigint | undefined },
): Promise<void> {
  const { chain, receipt } = parts;
  if (receipt.amount === 0n) {
    claims.add('budget_kept', true, 'nothing was charged');
    return;
  }
  await claims.run('budget_kept', async () => {
    const day = dayOf(receipt.admittedAtMs);
    const { spent, limit } = await chain.readBudget(receipt.modelAsked, day);
    claims.add(
      'budget_kept',
      spent <= limit,
      `ModelBudgets has counted ${spent} AGPT wei for ${receipt.modelAsked} on UTC day ${day}, and its limit of that day is ${limit}`,
    );
  });
  await claims.run('booked', () => checkBooked(claims, parts));
}

async function checkBooked(
  claims: ClaimList,
  {
    chain,
    receipt,
    index,
    settled,
  }: { chain: AuditChain; receipt: CallReceipt; index: number; settled: bigint | undefined },
): Promise<void> {
  if (receipt.refundOwed > 0n && !(await checkRefund(claims, chain, receipt))) return;
  const { channelId, runningTotal, modelAsked, provider, admittedAtMs, token } = receipt;
  if (channelId !== zeroBytes32 && settled !== undefined && settled < runningTotal) {
    return claims.leave('booked', `the call is not collected yet: its channel has paid ${settled} of ${runningTotal}`);
  }
  const [day, model, by] = [dayOf(admittedAtMs), idOfName(modelAsked), idOfName(provider)];
  const parts = await chain.listBooked(token, index);
  const fitting = parts.filter((part) => part.day === day && part.model === model && part.provider === by);
  // What a booking sums up is no less than any call in it.
  const first = fitting.findLast(({ amount }) => amount >= receipt.amount);
  if (first === undefined) return claims.leave('booked', 'no booking covers the call yet');
  claims.add('booked', true, await describeBooking(chain, { first, day, modelAsked, provider }));
}

/** What a fixed-price payment is owed back came back, or has to come yet. @returns false if it was noted that it is wrong */
async function checkRefund(claims: ClaimList, chain: AuditChain, receipt: CallReceipt): Promise<boolean> {
  const { payer, callId, refundOwed } = receipt;
  const refunded = await chain.findRefund(payer, callId);
  if (refunded === undefined) {
    claims.leave(
      'booked',
      `the ${refundOwed} that the payment is owed back did not come yet: no booking covers the call`,
    );
    return false;
  }
  if (refunded === refundOwed) return true;
  claims.add('booked', false, `${refunded} went back to ${payer}, and the receipt owes ${refundOwed}`);
  return false;
}

async function describeBooking(
  chain: AuditChain,
  { first, day, modelAsked, provider }: { first: BookedPart; day: number; modelAsked: string; provider: string },
): Promise<string> {
  const { batchId, withinBudget, amount } = first;
  const { released, overBudgetReleased } = await chain.readBatch(batchId);
  const what = `${amount} of ${modelAsked} at ${provider} on UTC day ${day} is booked in batch ${batchId}, the earliest that covers the call`;
  if (withinBudget) return `${what}, within budget, ${released ? 'released' : 'waiting for its dispute window'}`;
  return `${what}, over budget: ${overBudgetReleased ? 'released by vote' : 'withheld until a vote releases it'}`;
}
