import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { formatCallId } from '../protocol/receipt/call-id.ts';
import { blockRanges } from './chain-reader.ts';
import type { ChainCheck } from './check-chain.ts';
import { isUnsettled } from './check-payments.ts';
import { Differences, type Claim } from './claims.ts';

/** A call that the chain knows by its id: it was paid from an allowance. */
interface AllowanceCall {
  user: Hex;
  cost: bigint;
}

/** AGPT wei of one billing unit: 10^18 / TOKENS_PER_AGPT. The chain takes whole units. */
const billingUnit = 10n ** 18n / 1_250n;
const noCall = '00000000-0000-0000-0000-000000000000';

/**
 * What was taken from allowances is what the receipts say, in whole billing units, call by call; and nothing was taken for a
 * call that the books do not know.
 */
export async function checkAllowances({ client, settings, payments }: ChainCheck): Promise<Claim> {
  const differences = new Differences();
  const calls = await readCalls({ client, settings });
  const count = calls.size;
  for (const payment of payments) {
    if (payment.kind !== 'allowance' || payment.captured === 0n) continue;
    const { callId, captured, payer } = payment;
    const call = calls.get(callId);
    calls.delete(callId);
    // A transaction that is on its way to the ledger may be on the chain already.
    if (call === undefined && isUnsettled(payment)) continue;
    const cost = ((captured + billingUnit - 1n) / billingUnit) * billingUnit;
    differences.require(
      call?.cost === cost && call.user === payer,
      () =>
        `call ${callId} costs ${payer} ${cost} of its allowance by the books, and ${call?.cost ?? 'nothing'} on the chain`,
    );
  }
  for (const [callId, { cost, user }] of calls)
    differences.add(`${cost} was taken from the allowance of ${user} for call ${callId}, which the books do not know`);
  return differences.toClaim('allowances_match', `${count} calls were paid from allowances, as the receipts say`);
}

async function readCalls({
  client,
  settings,
}: Pick<ChainCheck, 'client' | 'settings'>): Promise<Map<string, AllowanceCall>> {
  const calls = new Map<string, AllowanceCall>();
  const source = { address: settings.contracts.autoPayLLM, abi: autoPayLlmAbi, strict: true } as const;
  for (const range of await blockRanges(client, BigInt(settings.deployedAtBlock))) {
    for (const { args } of await client.getContractEvents({ ...source, ...range, eventName: 'LLMCallExecuted' })) {
      const callId = formatCallId(Buffer.from(args.callId.slice(2), 'hex'));
      // The blueprint's overload names no call; it is no business of these books.
      if (callId !== noCall) calls.set(callId, { user: args.user.toLowerCase() as Hex, cost: args.cost });
    }
  }
  return calls;
}
