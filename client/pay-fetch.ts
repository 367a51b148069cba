import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { deliverAnswer } from './deliver-answer.ts';
import { errorResponse } from './error-response.ts';
import { readChatCall } from './estimate-quote.ts';
import type { CatalogueModel } from './fetch-catalogue.ts';
import { openWallet, type Wallet, type WalletOptions } from './open-wallet.ts';
import { createCallPayer } from './pay-call.ts';
import { prepareRequest, sendRequest, type PreparedRequest } from './send-request.ts';

/**
 * A `fetch` that pays: give it to any OpenAI client, `new OpenAI({ fetch, baseURL: relayUrl + '/v1', apiKey: 'unused' })`.
 * On first use it opens a payment channel; then it signs one voucher for each call, checks the receipt and stores it.
 *
 * POSTs to the relay are paid for where they cost something, other requests to it pass. Answers come as the relay gave them,
 * its errors included; where the wallet itself refuses, the answer has the same shape: an OpenAI error body with
 * `wallet_limit_exceeded`, `amount_exceeds_deposit` or another code of AutoPayError, and its status.
 *
 * Each paid POST carries an Idempotency-Key, the caller's own or a new one. A lost answer is asked for again with the same key and the
 * same voucher, so that it is paid once. If none comes after some attempts, the answer is 502 `upstream_unreachable` with
 * `x-should-retry: false` and the key as `idempotencyKey`.
 *
 * The returned function rejects as `fetch` does when the relay cannot be reached before a payment was sent, and with AutoPayError `invalid_argument` for a
 * request to anyone else than the relay.
 */
export function createPayFetch(options: WalletOptions | Wallet): typeof fetch {
  const wallet = 'connect' in options ? options : openWallet(options);
  const payCall = createCallPayer(wallet);

  async function handlePost(request: PreparedRequest): Promise<Response> {
    const call = readChatCall(request.body);
    const model = call && (await findModel(wallet, call.model));
    // What the relay does not sell or cannot read costs nothing: it says itself what is wrong.
    if (!call || !model) return sendRequest(wallet, request);
    if (!model.free) return payCall(request, call);
    const connection = await wallet.connect();
    const sentAtMs = Date.now();
    const response = await sendRequest(wallet, request);
    return deliverAnswer({
      wallet,
      ...connection,
      response,
      call,
      requestBytes: request.body,
      sentAtMs,
      ticket: null,
      isOwnKey: false,
    });
  }

  return async (input, init) => {
    const request = new Request(input, init);
    if (new URL(request.url).origin !== wallet.relayUrl) {
      const remedy = `Set the client's baseURL to ${wallet.relayUrl}/v1.`;
      throw new AutoPayError('invalid_argument', `This fetch pays ${wallet.relayUrl} only. ${remedy}`);
    }
    if (request.method !== 'POST') return wallet.fetch(request);
    try {
      return await handlePost(await prepareRequest(request));
    } catch (error) {
      if (error instanceof AutoPayError) return errorResponse(error);
      throw error;
    }
  };
}

async function findModel(wallet: Wallet, id: string): Promise<CatalogueModel | undefined> {
  const known = (await wallet.catalogue()).models.get(id);
  return known ?? (await wallet.catalogue(true)).models.get(id);
}
