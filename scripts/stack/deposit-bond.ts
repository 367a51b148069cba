import { erc20Abi } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { openAccount } from './open-account.ts';

/** Whose money to deposit, and up to what. */
export interface DepositBondOptions {
  rpcUrl: string;
  autoPayLLM: Hex;
  token: Hex;
  /** The account that pays; anyone may. */
  privateKey: Hex;
  /** What the relay's bond in this token should be, atomic units. */
  target: bigint;
  /** Gets the missing amount into the account first, where it does not hold it anyway. */
  obtain?: (missing: bigint) => Promise<void>;
}

/**
 * Tops the relay's bond up, if less than half of the target is there: without a bond nothing can be booked.
 * @throws AutoPayError `transaction_failed` if a transaction reverts
 */
export async function depositBond(options: DepositBondOptions): Promise<void> {
  const { autoPayLLM, token, target } = options;
  const { reader, wallet, confirm } = openAccount(options);
  const business = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  const bond = await reader.readContract({ ...business, functionName: 'bondOf', args: [token] });
  const missing = target - bond.amount;
  if (missing < target / 2n) return;
  await options.obtain?.(missing);
  await confirm(
    'Approving the bond',
    wallet.writeContract({
      chain: null,
      address: token,
      abi: erc20Abi,
      functionName: 'approve',
      args: [autoPayLLM, missing],
    }),
  );
  await confirm(
    'Depositing the bond',
    wallet.writeContract({ chain: null, ...business, functionName: 'depositBond', args: [token, missing] }),
  );
}
