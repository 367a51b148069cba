import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { deliverAnswer } from './deliver-answer.ts';
import { errorResponse } from './error-response.ts';
import type { CatalogueModel } from './fetch-catalogue.ts';
import { isRelay } from './is-relay.ts';
import { openWallet, type Wallet, type WalletOptions } from './open-wallet.ts';
import { createCallPayer } from './pay-call.ts';
import { createSellerPayer } from './pay-seller.ts';
import { readModelCall } from './read-model-call.ts';
import { requireWholeStream } from './require-whole-stream.ts';
import { prepareRequest, sendRequest, type PreparedRequest } from './send-request.ts';

/**
 * A `fetch` that pays: give it to any OpenAI client, `new OpenAI({ fetch, baseURL: relayUrl + '/v1', apiKey: 'unused' })`.
 * It pays by its open payment channel, or else by whatever the relay offers that costs least (`chooseMethod`), which often is to open one;
 * it checks each receipt and stores it. Where `relayUrl` is another service, it pays that by x402 or MPP (`createSellerPayer`).
 *
 * POSTs to the relay are paid for where they cost something, other requests to it pass. Answers come as the relay gave them,
 * its errors included; where the wallet itself refuses, the answer has the same shape: an OpenAI error body with
 * `wallet_limit_exceeded`, `amount_exceeds_deposit` or another code of AutoPayError, and its status. A stream that breaks off ends with such
 * an error too.
 *
 * Each paid POST carries an Idempotency-Key, the caller's own or a new one. A lost answer is asked for again with the same key and the
 * same payment, so that it is paid once. If none comes after some attempts, the answer is 502 `upstream_unreachable` with
 * `x-should-retry: false` and the key as `idempotencyKey`. What an OpenAI client repeats because it ran out of patience gets the answer of
 * the first call, and is not paid again.
 *
 * The returned function rejects as `fetch` does when the relay cannot be reached before a payment was sent, and with AutoPayError `invalid_argument` for a
 * request to anyone else than the relay, unless the wallet has a policy for `sellers`.
 */
export function createPayFetch(options: WalletOptions | Wallet): typeof fetch {
  const wallet = 'connect' in options ? options : openWallet(options);
  const payCall = createCallPayer(wallet);
  const paySeller = createSellerPayer(wallet);
  let isOtherService = false;

  async function handlePost(request: PreparedRequest): Promise<Response> {
    const call = readModelCall(request.url, request.body);
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
      mayBeReplay: false,
      mayBeCharged: false,
    });
  }

  async function handleRelay(request: Request): Promise<Response> {
    if (request.method !== 'POST' && !isOtherService) {
      const response = await wallet.fetch(request.clone());
      // A relay sells nothing so.
      if (response.status !== 402) return response;
    }
    // Asked anew until it is known to be none: a relay may be down for a while.
    isOtherService ||= !(await isRelay(wallet));
    const prepared = await prepareRequest(request);
    return isOtherService ? paySeller(prepared) : handlePost(prepared);
  }

  return async (input, init) => {
    const request = new Request(input, init);
    const isHome = request.url.startsWith(`${wallet.relayUrl}/`);
    if (!isHome && wallet.options.sellers === undefined) {
      const remedy = `Set the client's baseURL to ${wallet.relayUrl}/v1.`;
      throw new AutoPayError('invalid_argument', `This fetch pays ${wallet.relayUrl} only. ${remedy}`);
    }
    try {
      const answer = isHome ? await handleRelay(request) : await paySeller(await prepareRequest(request));
      return requireWholeStream(request.url, answer);
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
