import type { Hex } from '../../protocol/bytes/hex.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import type { ReceiptFacts } from '../recheck-receipt.ts';
import type { OpenDeployment } from './open-deployment.ts';
import { asChainError } from './send-transaction.ts';

/**
 * What a deployment's chain can say of a receipt: whether its signer and its price table were valid then. No wallet is needed.
 * Both throw AutoPayError `chain_unavailable` if the node does not answer.
 */
export function createReceiptFacts(deployment: OpenDeployment): ReceiptFacts {
  const { reader, contracts } = deployment;
  const ask = async (reading: Promise<boolean>) => {
    try {
      return await reading;
    } catch (error) {
      throw asChainError(error, 'Reading the chain');
    }
  };
  return {
    async isReceiptKey(address: Hex, atSeconds?: number) {
      const registry = { address: contracts.keyRegistry, abi: keyRegistryAbi } as const;
      const at = BigInt(atSeconds ?? (await deployment.now()));
      return ask(reader.readContract({ ...registry, functionName: 'isValidAt', args: [address, at] }));
    },
    isInForce(priceRoot, atSeconds) {
      const book = { address: contracts.priceBook, abi: priceBookAbi } as const;
      return ask(reader.readContract({ ...book, functionName: 'isInForce', args: [priceRoot, BigInt(atSeconds)] }));
    },
  };
}
