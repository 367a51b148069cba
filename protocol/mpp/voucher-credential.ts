import type { SignedVoucher } from '../typed-data/sign-voucher.ts';
import { formatCredential } from './credential.ts';
import type { ChallengeEcho } from './session-schemas.ts';

/** The value of the Authorization header that pays with a voucher (MPP EVM session draft, "Payload Actions"). */
export function formatVoucherCredential(challenge: ChallengeEcho, voucher: SignedVoucher): string {
  const { channelId, signature } = voucher;
  const payload = { action: 'voucher', channelId, cumulativeAmount: voucher.cumulativeAmount.toString(), signature };
  return formatCredential({ challenge, payload });
}
