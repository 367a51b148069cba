import { DEFAULT_ASSETS } from '@x402/evm';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { TokenUnit } from './token-amount.ts';

/** A token that the wallet may pay sellers in which are no relays of ours. */
export interface SellerAsset extends TokenUnit {
  chainId: number;
  /** The token's contract. */
  address: Hex;
  /** The token's EIP-712 domain, in which EIP-3009 authorizations are signed. Default: what the seller says of it. */
  domain?: { name: string; version: string };
}

/** USDC on the chains where `@x402/evm` knows a contract of it that takes EIP-3009 authorizations. */
export function knownUsdc(): SellerAsset[] {
  return Object.entries(DEFAULT_ASSETS).flatMap(([network, assets]) => {
    const chainId = chainIdOf(network);
    if (chainId === undefined) return [];
    return assets
      .filter(({ symbol, assetTransferMethod }) => symbol === 'USDC' && assetTransferMethod === undefined)
      .map(({ asset, symbol, decimals, name, version }) => {
        return { chainId, address: asset.toLowerCase() as Hex, symbol, decimals, domain: { name, version } };
      });
  });
}

/** The chain id in a CAIP-2 name such as `eip155:8453`; undefined for another kind of chain. */
export function chainIdOf(network: string): number | undefined {
  const id = Number(/^eip155:([1-9][0-9]{0,15})$/.exec(network)?.[1]);
  return Number.isSafeInteger(id) ? id : undefined;
}
