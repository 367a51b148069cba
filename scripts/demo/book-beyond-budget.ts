import { encodeFunctionData, parseEventLogs } from 'viem';
import { openSender, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import { signVoucher } from '../../protocol/typed-data/sign-voucher.ts';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { StackFile } from '../stack.ts';
import { readRelayKey } from './read-relay-key.ts';

/** A spend as the contract booked it. */
export interface BookedPart {
  amount: bigint;
  withinBudget: boolean;
}

/** What a relay that ignores the vote would book. Amounts are atomic units of USDC. */
export interface CarelessBooking {
  channelId: Hex;
  /** What the channel has paid so far. */
  settled: bigint;
  /** The payer's key: it signs a voucher for all that is booked. */
  walletKey: Hex;
  /** UTC day, unix seconds / 86,400. */
  day: number;
  model: string;
  provider: string;
  /** One spend each. */
  amounts: readonly bigint[];
}

/**
 * Does with the relay's own key what the relay's software refuses to do: collects a signed voucher and books it, whatever
 * the model's budget is. This is how a relay would go about it that ignored the vote.
 */
export async function bookBeyondBudget(
  stack: StackFile,
  deployment: OpenDeployment,
  booking: CarelessBooking,
): Promise<{ batchId: bigint; parts: BookedPart[]; collectHash: Hex; bookHash: Hex }> {
  const { autoPayLLM, paymentChannels } = deployment.contracts;
  const relay = openSender(deployment, await readRelayKey(stack));
  const { channelId, settled, amounts, day, model, provider } = booking;
  const cumulativeAmount = settled + amounts.reduce((sum, amount) => sum + amount, 0n);
  const scope = { chainId: deployment.chainId, verifyingContract: paymentChannels };
  const privateKey = fromHex(booking.walletKey, 32);
  const { signature } = signVoucher({ channelId, cumulativeAmount }, { scope, privateKey });

  const collected = await relay.send('Collecting', {
    to: autoPayLLM,
    data: encodeFunctionData({
      abi: autoPayLlmAbi,
      functionName: 'settleChannel',
      args: [channelId, cumulativeAmount, signature],
    }),
  });
  const spends = amounts.map((amount) => ({ day, model: nameId(model), provider: nameId(provider), amount }));
  const token = deployment.tokens['USDC']?.address ?? '0x';
  const log = { address: deployment.contracts.auditLog, abi: auditLogAbi } as const;
  const logSize = await deployment.reader.readContract({ ...log, functionName: 'latestSize' });
  const booked = await relay.send('Booking', {
    to: autoPayLLM,
    data: encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'book', args: [token, spends, [], logSize] }),
  });
  const [event] = parseEventLogs({ abi: autoPayLlmAbi, eventName: 'Booked', logs: booked.logs });
  if (!event) throw new Error('nothing was booked');
  const parts = event.args.spends.map(({ amount, withinBudget }) => ({ amount, withinBudget }));
  return {
    batchId: event.args.batchId,
    parts,
    collectHash: collected.transactionHash,
    bookHash: booked.transactionHash,
  };
}
