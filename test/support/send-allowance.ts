import { createPublicClient, createWalletClient, http, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { StackFile } from '../../scripts/stack/stack-file.ts';

const erc20 = parseAbi(['function approve(address spender, uint256 amount) returns (bool)']);

/** Lets AutoPayLLM take this much of a wallet's AGPT (`approve`), or this much in a day (`setDailyCap`), and waits for it. */
export async function sendAllowance(options: {
  functionName: 'approve' | 'setDailyCap';
  amount: bigint;
  stack: Pick<StackFile, 'contracts' | 'rpcUrl' | 'tokens'>;
  privateKey: Hex | undefined;
}): Promise<void> {
  const { amount, functionName, privateKey, stack } = options;
  const agpt = stack.tokens['AGPT']?.address;
  if (!agpt || !privateKey) throw new Error('the stack has no AGPT, or the wallet no key');
  const wallet = createWalletClient({ account: privateKeyToAccount(privateKey), transport: http(stack.rpcUrl) });
  const reader = createPublicClient({ transport: http(stack.rpcUrl), pollingInterval: 50 });
  const { autoPayLLM } = stack.contracts;
  const hash = await (functionName === 'approve'
    ? wallet.writeContract({ address: agpt, abi: erc20, functionName, args: [autoPayLLM, amount], chain: null })
    : wallet.writeContract({ address: autoPayLLM, abi: autoPayLlmAbi, functionName, args: [amount], chain: null }));
  const receipt = await reader.waitForTransactionReceipt({ hash });
  if (receipt.status !== 'success') throw new Error(`${functionName} failed`);
}
