import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { DirectMethod, Offer } from './read-offers.ts';
import type { SellerAsset } from './seller-assets.ts';

/** Of offers that ask for the same, the one that may take less; then the one whose answer says what was settled. */
const preference: readonly DirectMethod[] = ['x402/upto', 'x402/exact', 'evm/charge'];

/** An offer that the owner allows, and the token that it is paid in. */
export interface AllowedOffer {
  offer: Offer;
  asset: SellerAsset;
}

/**
 * Chooses the offer of a stranger that is paid: in the first of the owner's tokens that it takes, the one that asks for least. The
 * EIP-712 domain is the one that the owner knows, where he knows one.
 * @throws AutoPayError `network_not_allowed`, `asset_not_allowed`, or `no_usable_method` if all that is left needs Permit2 and it may not be used.
 */
export function chooseOffer(
  offers: readonly Offer[],
  { assets, permit2 }: { assets: readonly SellerAsset[]; permit2: boolean },
): AllowedOffer {
  const onNetwork = offers.filter(({ chainId }) => assets.some((asset) => asset.chainId === chainId));
  if (onNetwork.length === 0) {
    const [asked, known] = [namesOf(offers.map(({ network }) => network)), namesOf(assets.map(networkOf))];
    throw refuse('network_not_allowed', `It asks for a payment on ${asked}; this wallet pays sellers on ${known}`);
  }
  const allowed = onNetwork.flatMap((offer) => {
    const asset = assets.find(({ chainId, address }) => chainId === offer.chainId && address === offer.asset);
    return asset ? [{ offer: { ...offer, domain: asset.domain ?? offer.domain }, asset }] : [];
  });
  if (allowed.length === 0) {
    const asked = namesOf(onNetwork.map(({ asset, network }) => `${asset} on ${network}`));
    const known = namesOf(assets.map((asset) => `${asset.symbol} (${asset.address}) on ${networkOf(asset)}`));
    throw refuse('asset_not_allowed', `It asks for ${asked}; this wallet pays sellers in ${known}`);
  }
  const [best] = allowed
    .filter(({ offer }) => permit2 || offer.transfer === 'eip3009')
    .toSorted((one, other) => rankOf(one, other, assets));
  if (best) return best;
  throw refuse('no_usable_method', 'It takes Permit2 payments only, which are not allowed here (sellers.permit2)');
}

function rankOf(one: AllowedOffer, other: AllowedOffer, assets: readonly SellerAsset[]): number {
  const byToken = assets.indexOf(one.asset) - assets.indexOf(other.asset);
  if (byToken !== 0) return byToken;
  if (one.offer.amount !== other.offer.amount) return one.offer.amount < other.offer.amount ? -1 : 1;
  return preference.indexOf(one.offer.method) - preference.indexOf(other.offer.method);
}

function networkOf({ chainId }: SellerAsset): string {
  return `eip155:${chainId}`;
}

/** A few names; strangers may offer many. */
function namesOf(names: readonly string[]): string {
  const distinct = [...new Set(names)];
  return distinct.slice(0, 4).join(', ') + (distinct.length > 4 ? ' and others' : '');
}

function refuse(code: 'network_not_allowed' | 'asset_not_allowed' | 'no_usable_method', what: string): AutoPayError {
  return new AutoPayError(code, `${what}. Nothing was signed. If you want to pay so, add it to the wallet's sellers.`);
}
