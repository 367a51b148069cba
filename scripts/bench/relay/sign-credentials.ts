import { fromHex, toHex } from '../../../protocol/bytes/hex.ts';
import { signDigest } from '../../../protocol/bytes/secp256k1.ts';
import { parseChallenges } from '../../../protocol/mpp/challenge.ts';
import { formatVoucherCredential } from '../../../protocol/mpp/voucher-credential.ts';
import { voucherDigest, voucherDomainSeparator } from '../../../protocol/typed-data/voucher.ts';
import type { LoadJob } from '../load.ts';

/** The `Authorization` of each request of a job that pays by vouchers, on its channels in turn; none of other jobs. */
export async function signCredentials({ body, requests, url, vouchers }: LoadJob): Promise<string[]> {
  if (vouchers === undefined) return [];
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const answer = await response.text();
  const [challenge] = parseChallenges(response.headers.get('www-authenticate') ?? '');
  if (challenge === undefined) throw new Error(`no challenge from ${url}: ${response.status} ${answer}`);
  const separator = voucherDomainSeparator({ chainId: vouchers.chainId, verifyingContract: vouchers.escrow });
  const key = fromHex(vouchers.privateKey, 32);
  const next = vouchers.channels.map(({ firstCumulative }) => BigInt(firstCumulative));
  return Array.from({ length: requests }, (_, index) => {
    const lane = index % vouchers.channels.length;
    const channelId = vouchers.channels[lane]?.channelId ?? '0x';
    const cumulativeAmount = (next[lane] ?? 0n) + BigInt(vouchers.step);
    next[lane] = cumulativeAmount;
    const signature = toHex(signDigest(voucherDigest(separator, { channelId, cumulativeAmount }), key));
    return formatVoucherCredential(challenge, { channelId, cumulativeAmount, signature });
  });
}
