import { fromHex } from '../../../protocol/bytes/hex.ts';
import { recoverSigner } from '../../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { openingNonce, receiveAuthorizationDigest, topUpNonce } from '../../../protocol/typed-data/authorization.ts';
import { computeChannelId } from '../../../protocol/typed-data/channel-id.ts';
import type { RelayedDeposit } from './read-session-payload.ts';
import type { SessionTerms, SessionToken } from './session-terms.ts';

/** Within this time the transaction of a deposit should be in a block. */
const minValiditySeconds = 60n;

/**
 * Checks a deposit by authorization as far as that can be done without the chain: it is for this escrow, binds this channel, holds,
 * and its payer signed it by ECDSA. So nobody but its payer can make the relay pay a fee for it, and only for what is not already lost.
 *
 * @param options.minDeposit smaller ones are not worth their fee, atomic units
 * @param options.nowSeconds Unix seconds
 * @throws AutoPayError `unsupported_payment_action` for a token without EIP-3009, `deposit_too_small`, `payment_invalid`,
 * `payment_expired`, `invalid_signature`, `signer_mismatch`
 */
export function checkDeposit(
  deposit: RelayedDeposit,
  options: { terms: SessionTerms; token: SessionToken; minDeposit: bigint; nowSeconds: number },
): void {
  const { terms, token, minDeposit } = options;
  const { authorization, channelId, signature } = deposit;
  if (token.domain === null) {
    const message = `The relay sends no deposits in ${token.symbol}. Send the transaction yourself (type "hash").`;
    throw new AutoPayError('unsupported_payment_action', message);
  }
  if (authorization.to !== terms.escrow) throw invalid(`it pays ${authorization.to}; the escrow is ${terms.escrow}`);
  if (authorization.nonce !== boundNonce(deposit, { terms, token })) {
    throw invalid(
      'its nonce is not the one that binds it to the channel (EVM session draft, "Front-Running Protection")',
    );
  }
  if (authorization.value < minDeposit) {
    throw new AutoPayError(
      'deposit_too_small',
      'The relay pays the fee of larger deposits only. Deposit at least minDeposit, or send the transaction yourself (type "hash").',
      { facts: { channelId, token: token.address, minDeposit: minDeposit.toString() } },
    );
  }
  requireTime(deposit, BigInt(options.nowSeconds));
  const scope = { ...token.domain, chainId: terms.chainId, verifyingContract: token.address };
  const signer = recoverSigner(receiveAuthorizationDigest(scope, authorization), fromHex(signature));
  if (signer === authorization.from) return;
  throw new AutoPayError(
    'signer_mismatch',
    'The authorization is not signed by its "from". Sign ReceiveWithAuthorization with that key, by ECDSA.',
    { facts: { channelId, signer } },
  );
}

function boundNonce(deposit: RelayedDeposit, { terms, token }: { terms: SessionTerms; token: SessionToken }) {
  const { action, authorization, authorizedSigner, channelId, salt } = deposit;
  const { from, value } = authorization;
  if (action === 'topUp') return topUpNonce({ channelId, additionalDeposit: value, from, salt });
  const channel = { payer: from, payee: terms.recipient, token: token.address, salt, authorizedSigner };
  if (computeChannelId({ ...channel, escrow: terms.escrow, chainId: terms.chainId }) !== channelId) {
    throw invalid('channelId is not that of from, recipient, currency, salt and authorizedSigner');
  }
  return openingNonce(channel);
}

function requireTime({ authorization }: RelayedDeposit, nowSeconds: bigint): void {
  if (authorization.validAfter > nowSeconds) {
    throw new AutoPayError('payment_expired', 'The authorization does not hold yet. Sign one with validAfter 0.');
  }
  if (authorization.validBefore >= nowSeconds + minValiditySeconds) return;
  const message = `The authorization ends too soon. Sign one that holds for at least ${minValiditySeconds} s when it comes.`;
  throw new AutoPayError('payment_expired', message);
}

function invalid(why: string): AutoPayError {
  return new AutoPayError('payment_invalid', `The deposit cannot be made: ${why}. Sign it anew.`);
}
