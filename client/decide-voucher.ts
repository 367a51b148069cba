import { larger, smaller } from '../protocol/bytes/compare-amounts.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { nextVoucherAmount } from '../protocol/mpp/next-voucher.ts';
import { formatAmount, type TokenUnit } from './token-amount.ts';
import type { WalletChannel } from './wallet-state.ts';

/** What a relay says about a channel; only a claim. Atomic units. */
interface RelayClaims {
  /** The smallest voucher that it would admit. */
  requiredCumulative: bigint | undefined;
  /** The highest voucher that it has accepted. */
  acceptedCumulative: bigint | undefined;
  spent: bigint | undefined;
}

/** What a call needs; atomic units. */
export interface SpendRequest {
  /** The most that the call can cost, by the wallet's own reckoning. It MUST NOT be what a refusal says. */
  quote: bigint;
  /** The least that will do, where the relay can shrink the call; at most `quote`. */
  minimum: bigint;
  /** Why the relay refused the voucher before, if it did. */
  claims?: RelayClaims;
}

/** A voucher that may be signed; atomic units. */
export interface VoucherDecision {
  cumulativeAmount: bigint;
  /** What it is meant to cover of this call. */
  quote: bigint;
  /** It is below the highest, because that is the whole deposit. */
  isLower: boolean;
}

/**
 * The next voucher's amount. Parallel calls are normal, so it covers what was spent, what is in flight (`reserved`) and this
 * call, and differs from every voucher before, because a voucher admits one call.
 *
 * Numbers that this wallet cannot check (after a crash: what was charged meanwhile) are adopted from the relay, because the
 * relay alone has them, but only as far as they can be true: charges and reservations never exceed what was signed, so no
 * voucher above the last one plus this call's quote can be needed. Where the state was lost and the channel was found again on
 * the chain, the last voucher is not known, and two bounds are left: one raise is at most `maxCallAmount`, and no voucher
 * exceeds the deposit. A relay that lies gains one call's quote at a time, or there, one call's limit.
 * @throws AutoPayError `spending_limit_reached`, `amount_exceeds_deposit`, or `verification_failed` if the relay claims what
 *   cannot be.
 */
export function decideVoucher(options: {
  channel: WalletChannel;
  /** Sum of the quotes in flight. */
  reserved: bigint;
  request: SpendRequest;
  maxCallAmount: bigint | undefined;
  token: TokenUnit;
}): VoucherDecision {
  const { channel, reserved, request, maxCallAmount, token } = options;
  const { claims } = request;
  refuseImpossibleClaims(channel, { request, token });
  if (maxCallAmount !== undefined && request.minimum > maxCallAmount) {
    throw spendingLimitReached(request.minimum, { maxCallAmount, token });
  }
  const affordable = channel.deposit - channel.spent - reserved;
  const wanted = maxCallAmount === undefined ? request.quote : smaller(request.quote, maxCallAmount);
  const quote = smaller(wanted, affordable);
  const covering = larger(channel.spent + reserved + quote, claims?.requiredCumulative ?? 0n);
  const newest = larger(channel.lastSigned, claims?.acceptedCumulative ?? 0n);
  const { spent } = channel;
  const next = nextVoucherAmount({ spent, reserved, newest, required: claims?.requiredCumulative ?? 0n }, quote);
  // Where the whole deposit is signed already, no higher voucher is left. A lower one that was never used admits a call too,
  // as long as the highest has headroom.
  const isLower = next > channel.deposit && covering <= channel.deposit;
  const cumulativeAmount = isLower ? channel.deposit - 1n - BigInt(channel.lowerVouchers) : next;
  if (quote < request.minimum || cumulativeAmount > channel.deposit || cumulativeAmount <= channel.spent + reserved) {
    throw amountExceedsDeposit(request.minimum, { deposit: channel.deposit, affordable, token });
  }
  if (maxCallAmount !== undefined && cumulativeAmount - channel.lastSigned > larger(maxCallAmount, 1n)) {
    const known = formatAmount(channel.lastSigned, token);
    throw new AutoPayError(
      'spending_limit_reached',
      `The relay asks for a voucher over ${formatAmount(cumulativeAmount, token)}; this wallet knows of ${known} so far, and its ` +
        `limit for one call is ${formatAmount(maxCallAmount, token)}. If the earlier calls were yours, raise the limit once.`,
    );
  }
  return { cumulativeAmount, quote, isLower };
}

function refuseImpossibleClaims(channel: WalletChannel, options: { request: SpendRequest; token: TokenUnit }): void {
  if (channel.recovered) return;
  const { token } = options;
  const { quote, claims } = options.request;
  const signed = formatAmount(channel.lastSigned, token);
  const used = larger(claims?.spent ?? 0n, claims?.acceptedCumulative ?? 0n);
  if (used > channel.lastSigned) {
    throw new AutoPayError(
      'verification_failed',
      `The relay claims ${formatAmount(used, token)} as spent or accepted, more than the ${signed} that this wallet ever signed. ` +
        'If its state folder is an old copy, move channels.json away; else stop using this relay.',
    );
  }
  const required = claims?.requiredCumulative ?? 0n;
  if (required > channel.lastSigned + quote) {
    throw new AutoPayError(
      'verification_failed',
      `The relay asks for a voucher over ${formatAmount(required, token)}. This wallet has signed ${signed}, and by the published ` +
        `prices this call costs at most ${formatAmount(quote, token)}, so no more than both together can be due. Nothing was signed. ` +
        'Stop using this relay, or tell its operator.',
    );
  }
}

/** The owner's limit for one call forbids the call. */
export function spendingLimitReached(
  needed: bigint,
  options: { maxCallAmount: bigint; token: TokenUnit },
): AutoPayError {
  const { maxCallAmount, token } = options;
  return new AutoPayError(
    'spending_limit_reached',
    `This call may cost ${formatAmount(needed, token)}, more than the limit of ${formatAmount(maxCallAmount, token)} for one call. ` +
      'Ask for fewer output tokens, or raise the limit.',
    { facts: { quote: needed.toString() } },
  );
}

function amountExceedsDeposit(
  needed: bigint,
  options: { deposit: bigint; affordable: bigint; token: TokenUnit },
): AutoPayError {
  const { deposit, affordable, token } = options;
  const left = formatAmount(larger(affordable, 0n), token);
  return new AutoPayError(
    'amount_exceeds_deposit',
    `This call may cost ${formatAmount(needed, token)}, and of the channel's deposit of ${formatAmount(deposit, token)} there is ` +
      `${left} left. Ask for fewer output tokens, or run: autopay channel open --new --deposit <amount>`,
    { facts: { quote: needed.toString(), deposit: deposit.toString() } },
  );
}
