import type { EvidenceTier } from '../receipt/call-receipt.ts';

/**
 * What else shows as much as a tier that is demanded. The tiers are numbered, but they are no ladder: a hardware quote says
 * nothing of a model's commitments, and commitments say nothing of who signed.
 */
const metBy: Readonly<Record<EvidenceTier, readonly EvidenceTier[]>> = {
  'relay-signed': ['relay-signed', 'provider-signed', 'tee-attested', 'commitment-checked', 'proof-checked'],
  'provider-signed': ['provider-signed', 'tee-attested'],
  'tee-attested': ['tee-attested'],
  'commitment-checked': ['commitment-checked', 'proof-checked'],
  'proof-checked': ['proof-checked'],
};

/** Whether evidence of tier `actual` shows all that `minimum` does. */
export function meetsTier(actual: EvidenceTier, minimum: EvidenceTier): boolean {
  return metBy[minimum].includes(actual);
}
