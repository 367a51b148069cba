import { fromHex, zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { recoverSigner } from '../protocol/bytes/secp256k1.ts';
import { computeChannelId } from '../protocol/typed-data/channel-id.ts';
import { voucherDigest, voucherDomainSeparator } from '../protocol/typed-data/voucher.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books, Row } from './open-books.ts';
import type { Settings } from './read-settings.ts';
import type { ChargeFacts } from './scan-charges.ts';

/** Open reservations of each channel, added up from the calls. */
function sumReservations(books: Books): Map<Hex, bigint> {
  const sums = new Map<Hex, bigint>();
  const open = books.rows(`SELECT channel_id, quote FROM calls WHERE state = 'reserved' AND channel_id IS NOT NULL`);
  for (const row of open) {
    const channelId = row.hex('channel_id');
    sums.set(channelId, (sums.get(channelId) ?? 0n) + row.amount('quote'));
  }
  return sums;
}

/** Channels hold what their calls add up to, and a voucher of their payer covers it. */
export function checkChannels(books: Books, facts: ChargeFacts, settings: Settings): Claim[] {
  const sums = new Differences();
  const vouchers = new Differences();
  const reservations = sumReservations(books);
  const checkVoucher = createVoucherCheck(settings, vouchers);
  const seen = new Set<Hex>();
  let charged = 0n;
  for (const row of books.rows('SELECT * FROM channels')) {
    const channelId = row.hex('channel_id');
    seen.add(channelId);
    const sum = facts.channels.get(channelId);
    const reserved = reservations.get(channelId) ?? 0n;
    charged += sum?.charged ?? 0n;
    const pairs: [string, bigint | number, bigint | number][] = [
      ['charged', row.amount('charged'), sum?.charged ?? 0n],
      ['reserved', row.amount('reserved'), reserved],
      ['sequence', row.number('sequence'), sum?.sequence ?? 0],
    ];
    for (const [what, stored, actual] of pairs) {
      sums.require(
        stored === actual,
        () => `channel ${channelId} has ${what} ${stored}, and its calls add up to ${actual}`,
      );
    }
    checkVoucher(row, (sum?.charged ?? 0n) + reserved);
  }
  for (const channelId of facts.channels.keys())
    sums.require(seen.has(channelId), () => `receipts name channel ${channelId}, which is unknown`);
  return [
    sums.toClaim(
      'channels_add_up',
      `${seen.size} channels hold what their calls add up to: ${charged} charged in all, reservations included`,
    ),
    vouchers.toClaim(
      'vouchers_cover',
      `what is charged and reserved on ${seen.size} channels lies within vouchers that their payers signed, and those within the deposits`,
    ),
  ];
}

function createVoucherCheck({ contracts, chainId }: Settings, differences: Differences) {
  const escrow = contracts.paymentChannels;
  const separator = voucherDomainSeparator({ chainId, verifyingContract: escrow });
  return function checkVoucher(row: Row, owed: bigint): void {
    const channelId = row.hex('channel_id');
    const accepted = row.amount('accepted_cumulative');
    const payer = row.hex('payer');
    const authorizedSigner = row.hex('authorized_signer');
    const identity = {
      payer,
      payee: row.hex('payee'),
      token: row.hex('token'),
      salt: row.hex('salt'),
      authorizedSigner,
      escrow,
      chainId,
    };
    differences.require(
      computeChannelId(identity) === channelId,
      () => `channel ${channelId} does not follow from its terms`,
    );
    differences.require(
      row.hex('payee') === contracts.autoPayLLM,
      () => `channel ${channelId} pays ${row.hex('payee')}`,
    );
    differences.require(owed <= accepted, () => `channel ${channelId} owes ${owed} and has a voucher for ${accepted}`);
    differences.require(
      accepted <= row.amount('deposit'),
      () => `channel ${channelId} has a voucher for ${accepted}, above its deposit`,
    );
    if (accepted === 0n) return;
    const signer = authorizedSigner === zeroAddress ? payer : authorizedSigner;
    try {
      const digest = voucherDigest(separator, { channelId, cumulativeAmount: accepted });
      const recovered = recoverSigner(digest, fromHex(row.hex('accepted_signature')));
      differences.require(
        recovered === signer,
        () => `the voucher of channel ${channelId} is signed by ${recovered}, not by ${signer}`,
      );
    } catch {
      differences.add(`channel ${channelId} has no valid voucher signature`);
    }
  };
}
