import { encodeFunctionData } from 'viem';
import { paymentChannelsAbi } from '../../../protocol/abi/payment-channels.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../../protocol/errors/error-codes.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import { createNotConfirmed } from '../../chain/finality.ts';
import type { TransactionQueue, TransactionRequest } from '../../chain/send-queued-transactions.ts';
import type { BackgroundLedger } from '../../ledger/background-ledger.ts';
import type { ChannelOnChain } from '../../ledger/ledger.ts';
import { withTimeout } from '../../with-timeout.ts';
import { checkDeposit } from './check-deposit.ts';
import type { RelayedDeposit } from './read-session-payload.ts';
import type { SessionTerms, SessionToken } from './session-terms.ts';
import type { SponsorLimits } from './sponsor-limits.ts';

/** Sends deposits for payers who signed an authorization, and pays their fee. */
export interface DepositRelay {
  /**
   * Makes a deposit, or finds it made by an earlier request with the same authorization.
   *
   * @returns the channel as the chain has it then
   * @throws AutoPayError as `checkDeposit`; `rate_limit_exceeded`; `transaction_pending` if it takes too long (the same request may be
   * sent again); what the chain refused it with; `price_unavailable`, `chain_unavailable`
   */
  deposit(deposit: RelayedDeposit, token: SessionToken): Promise<ChannelOnChain>;
}

/** What sending deposits needs. */
export interface DepositRelayOptions {
  terms: SessionTerms;
  queue: Pick<TransactionQueue, 'send'>;
  reader: ChannelReader;
  ledger: Pick<BackgroundLedger, 'getTransaction'>;
  limits: SponsorLimits;
  /** The least deposit whose fee is paid, percent of the suggested one. */
  minDepositPercent: number;
  /** How long a request waits for its deposit. */
  timeoutMs?: number;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Makes the sender of deposits. Requests with the same authorization share one transaction, whenever they come. */
export function createDepositRelay(options: DepositRelayOptions): DepositRelay {
  const { limits, nowMs, timeoutMs = 30_000 } = options;
  const underWay = new Map<string, Promise<ChannelOnChain>>();

  async function send(deposit: RelayedDeposit, request: TransactionRequest): Promise<ChannelOnChain> {
    const { action, channelId, authorization } = deposit;
    try {
      const { transactionHash } = await options.queue.send(request);
      return await (action === 'open'
        ? options.reader.readOpenTransaction(transactionHash, { channelId })
        : options.reader.readTopUpTransaction(transactionHash, { channelId, amount: authorization.value }));
    } catch (error) {
      // Whoever saw the authorization may have submitted it first, which opens the same channel for the same payer.
      if (action === 'open' && error instanceof AutoPayError && error.code === 'transaction_reverted') {
        const opened = await options.reader.readChannel(channelId);
        if (opened?.pending && opened.deposit === 0n) throw createNotConfirmed(channelId, opened.pending);
        if (opened !== undefined) return opened;
      }
      throw explain(error, deposit);
    }
  }

  return {
    async deposit(deposit, token) {
      const request = buildDeposit(options.terms, { deposit, token });
      const shared = underWay.get(request.purpose);
      if (shared) return withTimeout(shared, { timeoutMs, late: pending });
      const earlier = await options.ledger.getTransaction(request.purpose);
      if (earlier === undefined || earlier.status === 'reverted') {
        const minDeposit = leastDeposit(token, options.minDepositPercent);
        checkDeposit(deposit, { terms: options.terms, token, minDeposit, nowSeconds: Math.floor(nowMs() / 1_000) });
        if (!underWay.has(request.purpose)) limits.take(deposit.authorization.from);
      }
      // Another request may have come while the ledger was asked.
      const sending =
        underWay.get(request.purpose) ?? send(deposit, request).finally(() => underWay.delete(request.purpose));
      underWay.set(request.purpose, sending);
      return withTimeout(sending, { timeoutMs, late: pending });
    },
  };
}

/** The transaction of a deposit. Its purpose names the authorization's effect, so that it succeeds once. */
function buildDeposit(
  terms: SessionTerms,
  { deposit, token }: { deposit: RelayedDeposit; token: SessionToken },
): TransactionRequest {
  const { action, channelId, salt, authorization, authorizedSigner, signature } = deposit;
  const { from, value, validAfter, validBefore, nonce } = authorization;
  const signed = [from, ...([validAfter, validBefore, nonce, signature] as const)] as const;
  if (action === 'open') {
    const args = [terms.recipient, token.address, value, salt, authorizedSigner, ...signed] as const;
    const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'openWithAuthorization', args });
    return { purpose: `open:${channelId}`, to: terms.escrow, data };
  }
  const [payer, ...rest] = signed;
  const args = [channelId, value, payer, salt, ...rest] as const;
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'topUpWithAuthorization', args });
  return { purpose: `top-up:${nonce}`, to: terms.escrow, data };
}

function leastDeposit(token: SessionToken, percent: number): bigint {
  const suggested = token.suggestedDeposit();
  if (suggested !== undefined) return (suggested * BigInt(percent) + 99n) / 100n;
  const message = `There is no current price of ${token.symbol}, so the relay pays for no deposit in it. Try again later.`;
  throw new AutoPayError('price_unavailable', message);
}

/** Our code for each refusal of the escrow or a token (MPP EVM session draft, "Error Responses"). */
const reasons: Readonly<Record<string, ErrorCode>> = {
  ChannelNotFound: 'channel_not_found',
  ChannelFinalized: 'channel_finalized',
  InvalidSignature: 'invalid_signature',
  ERC20InsufficientBalance: 'insufficient_funds',
};

function explain(error: unknown, { action, channelId }: RelayedDeposit): unknown {
  if (!(error instanceof AutoPayError)) return error;
  if (error.code === 'transaction_failed') {
    const message = 'The relay cannot send transactions at the moment. Send yours (type "hash"), or try again later.';
    return new AutoPayError('chain_unavailable', message, { cause: error });
  }
  if (error.code !== 'transaction_reverted') return error;
  const { contractError, contractErrorArguments } = error.facts;
  const reason = contractError === 'Error' ? String(contractErrorArguments) : String(contractError ?? 'unknown');
  const isPoor = /exceeds balance/i.test(reason);
  const code = isPoor ? 'insufficient_funds' : (reasons[reason] ?? 'transaction_reverted');
  const what = action === 'open' ? 'The channel was not opened' : 'Nothing was added to the channel';
  return new AutoPayError(code, `${what}: the chain refused the deposit (${reason}). Mend that, and sign it anew.`, {
    cause: error,
    facts: { channelId, reason },
  });
}

function pending(): AutoPayError {
  const message = 'The deposit is not in a block yet. Send the same request again: do not sign another deposit.';
  return new AutoPayError('transaction_pending', message);
}
