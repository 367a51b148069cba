import { encodeFunctionData, parseAbi } from 'viem';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../../chain/call-chain.ts';
import type { ChainClient } from '../../chain/create-chain-client.ts';
import type { ContractSignatures } from '../../keys/log-in.ts';
import { createTokenBucket } from '../evm-session/token-bucket.ts';

const abi = parseAbi(['function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)']);
/** The function's own selector, as bytes4 in a word. */
const magicWord = `0x1626ba7e${'0'.repeat(56)}`;
/** A wallet that needs more is taken for one that says no. */
const gasLimit = 500_000n;

/**
 * Asks wallets that are contracts by ERC-1271. A stranger's wrong signature costs an exchange with the chain, so there is a bound
 * to how many are asked: 50 at once after a quiet time, 10 per second in the long run.
 */
export function createContractSignatures(options: {
  client: Pick<ChainClient, 'call'>;
  nowMs: () => number;
}): ContractSignatures {
  const { client, nowMs } = options;
  const lookups = createTokenBucket({ burst: 50, perSecond: 10, nowMs });
  return {
    async isValid({ address, digest, signature }) {
      if (!lookups.take()) {
        throw new AutoPayError(
          'rate_limit_exceeded',
          'Too many signatures are being checked on the chain. Try again in a second.',
          { facts: { retryAfterSeconds: 1 } },
        );
      }
      const data = encodeFunctionData({ abi, functionName: 'isValidSignature', args: [toHex(digest), signature] });
      try {
        const answer = await callChain(`a signature of ${address}`, () =>
          client.call({ to: address, data, gas: gasLimit }),
        );
        // An account without code answers nothing.
        return answer.data?.slice(0, magicWord.length) === magicWord;
      } catch (error) {
        if (error instanceof AutoPayError && error.code === 'transaction_reverted') return false;
        throw error;
      }
    },
  };
}
