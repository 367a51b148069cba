import type { PublicClient } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { permit2Address } from '../../protocol/x402/addresses.ts';

/** What the choice between the ways to pay depends on. */
export interface PaymentFacts {
  /** What the wallet has for gas, in wei. */
  ether(): Promise<bigint>;
  /** How much of the wallet's token Permit2 may take, in atomic units. */
  permit2Allowance(token: Hex): Promise<bigint>;
  /** Whether AutoPayLLM takes payments of one call from this contract. */
  isDesk(address: Hex): Promise<boolean>;
}

/**
 * Reads these facts of a wallet.
 * @param options.guard wraps each read; it turns a node's failure into `chain_unavailable`.
 */
export function createPaymentFacts(options: {
  reader: Pick<PublicClient, 'getBalance' | 'readContract'>;
  owner: Hex;
  payee: Hex;
  guard: <T>(read: () => Promise<T>) => Promise<T>;
}): PaymentFacts {
  const { reader, owner, payee, guard } = options;
  return {
    ether: () => guard(() => reader.getBalance({ address: owner })),
    permit2Allowance: (address) =>
      guard(() => {
        const args = [owner, permit2Address] as const;
        return reader.readContract({ address, abi: fiatTokenAbi, functionName: 'allowance', args });
      }),
    isDesk: (address) =>
      guard(async () => {
        const contract = { address: payee, abi: autoPayLlmAbi } as const;
        const role = await reader.readContract({ ...contract, functionName: 'DESK_ROLE' });
        return reader.readContract({ ...contract, functionName: 'hasRole', args: [role, address] });
      }),
  };
}
