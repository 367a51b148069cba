import type { ContractFunctionArgs } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';

/** A spend as it was booked (IAutoPayLLM.BookedSpend). */
export type BookedSpend = ContractFunctionArgs<typeof autoPayLlmAbi, 'nonpayable', 'release'>[1][number];

/** The chain at its newest block, as far as releases depend on it. */
export interface ReleaseTerms {
  /** Unix seconds of the block. */
  now: number;
  newestBlock: number;
  /** Unix seconds until which the guardian has stopped releases; in the past if it has not. */
  frozenUntil: number;
  disputeWindowSeconds: number;
}

/** Reads of AutoPayLLM that releases need. Each throws AutoPayError `chain_unavailable`. */
export interface BookingReader {
  readTerms(): Promise<ReleaseTerms>;
  /** The record of a batch; its `spendsHash` is zero if there is none. */
  readBatch(batchId: number): Promise<{ spendsHash: Hex; bookedAt: number; logSize: number; released: boolean }>;
  /** The spends of a batch and the block of its booking; undefined if it was booked in none of these blocks. */
  findSpends(
    batchId: number,
    blocks: { from: number; to: number },
  ): Promise<{ spends: readonly BookedSpend[]; block: number } | undefined>;
}

/** Makes a reader of one AutoPayLLM's bookings. */
export function createBookingReader(client: ChainClient, autoPayLLM: Hex): BookingReader {
  const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  return {
    async readTerms() {
      const [block, frozenUntil, disputeWindow] = await callChain('the dispute window', () =>
        Promise.all([
          client.getBlock(),
          client.readContract({ ...contract, functionName: 'frozenUntil' }),
          client.readContract({ ...contract, functionName: 'disputeWindow' }),
        ]),
      );
      return {
        now: Number(block.timestamp),
        newestBlock: Number(block.number),
        frozenUntil: Number(frozenUntil),
        disputeWindowSeconds: Number(disputeWindow),
      };
    },
    readBatch: (batchId) =>
      callChain(`batch ${batchId}`, () =>
        client.readContract({ ...contract, functionName: 'getBatch', args: [BigInt(batchId)] }),
      ),
    async findSpends(batchId, { from, to }) {
      const events = await callChain(`the booking of batch ${batchId}`, () =>
        client.getContractEvents({
          ...contract,
          eventName: 'Booked',
          args: { batchId: BigInt(batchId) },
          fromBlock: BigInt(from),
          toBlock: BigInt(to),
          strict: true,
        }),
      );
      const event = events[0];
      return event === undefined ? undefined : { spends: event.args.spends, block: Number(event.blockNumber) };
    },
  };
}
