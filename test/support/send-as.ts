import type { Hex } from '../../protocol/bytes/hex.ts';
import type { LocalChain } from './start-chain.ts';

/** Sends a transaction from an account whose key nobody has, such as the timelock, and requires that it succeeds. */
export async function sendAs(chain: LocalChain, transaction: { from: Hex; to: Hex; data: Hex }): Promise<void> {
  const { from } = transaction;
  await chain.request('hardhat_impersonateAccount', [from]);
  await chain.request('hardhat_setBalance', [from, '0xde0b6b3a7640000']);
  const hash = await chain.request('eth_sendTransaction', [transaction]);
  await chain.request('hardhat_stopImpersonatingAccount', [from]);
  const receipt = (await chain.request('eth_getTransactionReceipt', [hash])) as { status: Hex } | null;
  if (receipt?.status !== '0x1') throw new Error(`the transaction of ${from} did not succeed`);
}
