import { parseTransaction, type PrivateKeyAccount, type TransactionSerializedEIP1559 } from 'viem';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { keccak256 } from '../../protocol/bytes/keccak256.ts';
import type { TransactionAttempt } from '../ledger/background-ledger.ts';
import type { Fees } from './choose-fees.ts';

/** Who signs, and for which chain. */
export interface TransactionSigner {
  account: PrivateKeyAccount;
  chainId: number;
}

/** What is signed besides the fees. */
export interface UnsignedTransaction {
  nonce: number;
  to: Hex;
  data: Hex;
  gas: bigint;
}

/** Signs a transaction (type 2). */
export async function signAttempt(
  { account, chainId }: TransactionSigner,
  transaction: UnsignedTransaction,
  fees: Fees,
): Promise<TransactionAttempt> {
  const raw = await account.signTransaction({ type: 'eip1559', chainId, ...transaction, ...fees });
  return { raw, hash: toHex(keccak256(fromHex(raw))), signedAtMs: Date.now() };
}

/** Signs what was signed before once more, at other fees. */
export async function signReplacement(
  signer: TransactionSigner,
  earlier: TransactionAttempt,
  fees: Fees,
): Promise<TransactionAttempt> {
  const { nonce = 0, to, data = '0x', gas = 0n } = parse(earlier.raw);
  if (to === null || to === undefined) throw new Error('the queue signs calls only');
  return signAttempt(signer, { nonce, to, data, gas }, fees);
}

/** What a signed transaction offers. */
export function readFees({ raw }: TransactionAttempt): Fees {
  const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = parse(raw);
  return { maxFeePerGas, maxPriorityFeePerGas };
}

function parse(raw: Hex) {
  return parseTransaction(raw as TransactionSerializedEIP1559);
}
