import { createPublicClient, createWalletClient, http, publicActions } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** A wallet of its own with which a relay buys. */
export interface BuyerWallet {
  privateKey: Hex;
  address: Hex;
}

/** Makes a wallet; it has nothing yet. */
export function makeWallet(): BuyerWallet {
  const privateKey = generatePrivateKey();
  return { privateKey, address: privateKeyToAccount(privateKey).address.toLowerCase() as Hex };
}

/** Sends a token from one wallet to an address, and waits for the block. */
export async function sendToken(options: {
  rpcUrl: string;
  token: Hex;
  from: Hex;
  to: Hex;
  amount: bigint;
}): Promise<void> {
  const { amount, from, rpcUrl, to, token } = options;
  const account = privateKeyToAccount(from);
  const wallet = createWalletClient({ account, transport: http(rpcUrl), pollingInterval: 50 }).extend(publicActions);
  const hash = await wallet.writeContract({
    ...{ address: token, abi: fiatTokenAbi, functionName: 'transfer', args: [to, amount], chain: null },
  });
  const { status } = await wallet.waitForTransactionReceipt({ hash });
  if (status !== 'success') throw new Error('the transfer reverted');
}

/** Gives an account ether. */
export async function setBalance(rpcUrl: string, address: Hex, wei = 10n ** 19n): Promise<void> {
  await rpc(rpcUrl, 'hardhat_setBalance', [address, `0x${wei.toString(16)}`]);
}

/** One JSON-RPC request. */
export async function rpc(rpcUrl: string, method: string, params: unknown[] = []): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const response = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const answer = (await response.json()) as { result?: unknown; error?: { message: string } };
  if (answer.error) throw new Error(answer.error.message);
  return answer.result;
}

/** What an address has of a token, atomic units. */
export function balanceOf(rpcUrl: string, token: Hex, address: Hex): Promise<bigint> {
  const client = createPublicClient({ transport: http(rpcUrl) });
  return client.readContract({ address: token, abi: fiatTokenAbi, functionName: 'balanceOf', args: [address] });
}
