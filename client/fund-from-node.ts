import { createPublicClient, createWalletClient, http } from 'viem';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { asChainError, confirmTransaction } from './chain/send-transaction.ts';
import type { PayToken, RelayOffer } from './fetch-relay-terms.ts';

/** The chain that Hardhat and Anvil simulate, whose nodes sign for funded accounts of their own. Its money is worth nothing. */
const simulatedChainId = 31_337;
/** Ether for gas, which an address is given where it has less than half of it. */
const gasWei = 10n ** 18n;

/** Who is to get what. */
export interface FundFromNodeOptions {
  rpcUrl: string;
  offer: Pick<RelayOffer, 'chainId'>;
  token: PayToken;
  to: Hex;
  /** Atomic units of the token. */
  amount: bigint;
}

/**
 * On a simulated chain, mints tokens for an address and sends it ether for gas, by the node's own account that deployed the stack.
 * @returns false, with nothing done, on any other chain, and where the node has no account that may mint this token.
 * @throws AutoPayError `chain_unavailable`, `transaction_failed`.
 */
export async function fundFromNode({ rpcUrl, offer, token, to, amount }: FundFromNodeOptions): Promise<boolean> {
  if (offer.chainId !== simulatedChainId) return false;
  const transport = http(rpcUrl);
  const reader = createPublicClient({ transport, pollingInterval: 50 });
  const contract = { address: token.address, abi: fiatTokenAbi } as const;
  try {
    // The endpoint is asked too: the relay's word must not make a transaction on a chain where money is real.
    if ((await reader.getChainId()) !== simulatedChainId) return false;
    const [account] = await createWalletClient({ transport }).getAddresses();
    if (account === undefined) return false;
    const mint = { ...contract, functionName: 'mint', args: [to, amount], account } as const;
    const mayMint = await reader.simulateContract(mint).then(() => true, isRefusal);
    if (!mayMint) return false;
    const wallet = createWalletClient({ account, transport });
    const minting = await wallet.writeContract({ ...mint, chain: null });
    await confirmTransaction('Minting', { reader, hash: minting });
    if ((await reader.getBalance({ address: to })) < gasWei / 2n) {
      const hash = await wallet.sendTransaction({ chain: null, to, value: gasWei });
      await confirmTransaction('The transfer of ether', { reader, hash });
    }
    return true;
  } catch (error) {
    throw asChainError(error, 'Funding the wallet');
  }
}

/** A token that has no `mint`, or has another minter, refuses the simulation: nothing is sent then. Other errors are thrown. */
function isRefusal(error: unknown): false {
  const thrown = asChainError(error);
  if (thrown instanceof AutoPayError && thrown.code === 'transaction_failed') return false;
  throw thrown;
}
