import { encodeFunctionData } from 'viem';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { callChain } from '../chain/call-chain.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import type { CollectionDeps } from './collection-deps.ts';

/** AutoPayLLM.MAX_NAME_BYTES. */
const maxNameBytes = 128;

/**
 * Publishes a name on the chain, unless that was done before, so that everyone can read what an identifier stands for.
 * A name that is too long for the contract stays unpublished: booking needs its hash alone.
 * @throws AutoPayError as `TransactionQueue.send`.
 */
export async function registerName(deps: CollectionDeps, name: string): Promise<void> {
  const { client, contracts, queue, log } = deps;
  const lengthBytes = Buffer.byteLength(name, 'utf8');
  if (lengthBytes === 0 || lengthBytes > maxNameBytes) {
    log.warn(
      { name: name.slice(0, 200), lengthBytes },
      'a name has no length that the contract publishes; only its hash is booked',
    );
    return;
  }
  const isRegistered = await callChain('a registered name', () =>
    client.readContract({
      address: contracts.autoPayLLM,
      abi: autoPayLlmAbi,
      functionName: 'isNameRegistered',
      args: [nameId(name)],
    }),
  );
  if (isRegistered) return;
  const data = encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'registerName', args: [name] });
  await queue.send({ purpose: `register:${name}`, to: contracts.autoPayLLM, data });
}
