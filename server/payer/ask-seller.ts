import type { Hex } from '../../protocol/bytes/hex.ts';
import { z } from 'zod';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { amountSchema, bytes32Schema } from '../../protocol/payments/value-schemas.ts';
import { formatVoucherCredential } from '../../protocol/mpp/voucher-credential.ts';
import { signVoucher } from '../../protocol/typed-data/sign-voucher.ts';
import type { Transport, UpstreamResponse } from '../call/transport.ts';
import type { Deployment } from '../call/types.ts';
import type { PurchaseChannel } from '../ledger/purchase-ledger.ts';
import { readSessionOffers, type MppOffer } from './read-mpp-offers.ts';
import type { PayerWallet, SellerTerms } from './seller-terms.ts';

/** How a seller is asked outside of calls. */
export interface SellerQuestions {
  /** Sends without paying. */
  transport: Transport;
  terms: SellerTerms;
  escrow: Hex;
  /** One of its deployments: it is asked for the price of a shortest call. */
  deployment: Deployment;
}

const timeoutMs = 15_000;

/** Where sellers are asked. */
const path = '/v1/chat/completions';

type Offer = MppOffer<ReturnType<typeof readSessionOffers>[number]['request']>;

/**
 * Asks a seller whom it wants to be paid, by a request without payment.
 * @throws AutoPayError `upstream_error` if it offers no channel that fits the configuration
 */
export async function askPayee(questions: SellerQuestions): Promise<Hex> {
  return (await askOffer(questions)).request.recipient;
}

async function askOffer({ deployment, escrow, terms, transport }: SellerQuestions): Promise<Offer> {
  const body = { model: deployment.model, messages: [{ role: 'user', content: '' }], max_tokens: 1 };
  const response = await transport.send({
    ...{ deployment, path, body: Buffer.from(JSON.stringify(body)), stream: false },
    signal: AbortSignal.timeout(timeoutMs),
  });
  response.destroy();
  const offer = readSessionOffers({ headers: response.headers, body: null }).find(
    ({ request: { currency, methodDetails } }) =>
      methodDetails.chainId === terms.chainId &&
      methodDetails.escrowContract === escrow &&
      currency === terms.token.address,
  );
  if (offer) return offer;
  throw new AutoPayError(
    'upstream_error',
    `The provider "${terms.provider}" answered ${response.status} and offers no MPP evm/session in ${terms.token.symbol} with the escrow ` +
      `${escrow} on chain ${terms.chainId}. Compare payment_channels with what it offers.`,
  );
}

const receiptSchema = z.object({ channelId: bytes32Schema, spent: amountSchema });

/**
 * Asks a seller what was spent of a channel in all, by its highest voucher without a call, which gives it nothing that it has not.
 * @returns undefined if the answer is no receipt of this channel
 * @throws AutoPayError as `askPayee`
 */
export async function askSpent(
  questions: SellerQuestions,
  channel: Pick<PurchaseChannel, 'channelId' | 'signed'>,
  wallet: PayerWallet,
): Promise<bigint | undefined> {
  const { challenge } = await askOffer(questions);
  const { deployment, escrow, terms, transport } = questions;
  const scope = { chainId: terms.chainId, verifyingContract: escrow };
  const { channelId, signed: cumulativeAmount } = channel;
  const voucher = signVoucher({ channelId, cumulativeAmount }, { scope, privateKey: wallet.privateKey });
  const response = await transport.send({
    ...{ deployment, path, body: new Uint8Array(0), stream: false, signal: AbortSignal.timeout(timeoutMs) },
    headers: { authorization: formatVoucherCredential(challenge, voucher) },
  });
  response.destroy();
  return readSpent(response, channelId);
}

function readSpent({ headers, status }: UpstreamResponse, channelId: Hex): bigint | undefined {
  const value = headers['payment-receipt'];
  if (status !== 200 || value === undefined) return undefined;
  const { data } = receiptSchema.safeParse(decodeBase64UrlJson(value));
  return data?.channelId === channelId ? data.spent : undefined;
}
