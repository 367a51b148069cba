import { createPublicClient, createWalletClient, http, parseEther } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { TestStack } from './start-test-stack.ts';

/**
 * A new key that holds USDC of the demo wallet, and ether where it is to open channels.
 * @param options.ether whole ether, decimal.
 */
export async function fundWallet(
  { payer, payFetchOptions }: Pick<TestStack, 'payer' | 'payFetchOptions'>,
  options: { usdcAtomic: bigint; ether?: string },
): Promise<Hex> {
  const { rpcUrl, token } = payer.scope;
  const privateKey = generatePrivateKey();
  const { address: to } = privateKeyToAccount(privateKey);
  const transport = http(rpcUrl);
  const wallet = createWalletClient({ account: privateKeyToAccount(payFetchOptions.privateKey), transport });
  const reader = createPublicClient({ transport, pollingInterval: 50 });
  const call = { address: token, abi: fiatTokenAbi, functionName: 'transfer', args: [to, options.usdcAtomic] } as const;
  const hash = await wallet.writeContract({ ...call, chain: null });
  await reader.waitForTransactionReceipt({ hash });
  if (options.ether !== undefined) {
    const sent = await wallet.sendTransaction({ to, value: parseEther(options.ether), chain: null });
    await reader.waitForTransactionReceipt({ hash: sent });
  }
  return privateKey;
}
