import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../../protocol/mpp/challenge.ts';
import { encodeHeaderJson } from '../../protocol/x402/header-json.ts';

/** Base's USDC, which wallets pay strangers in without being told. */
export const usdcOnBase: Hex = '0x833589fcd6edb6e08f4c7c32d4f71b54bda02913';
/** Whom the double wants to be paid. */
export const doublePayee: Hex = `0x${'5e'.repeat(20)}`;

/** What an x402 offer says. */
export const offerOf = (more: Record<string, unknown> = {}) => ({
  ...{ scheme: 'exact', network: 'eip155:8453', asset: usdcOnBase, amount: '5000', payTo: doublePayee },
  ...{ maxTimeoutSeconds: 60, extra: { name: 'USD Coin', version: '2' }, ...more },
});

/** How the double behaves. */
interface SellerMischief {
  /** Its offers; the list may differ from one 402 to the next. */
  accepts: (asked: number) => Record<string, unknown>[];
  version: 1 | 2 | 'mpp';
  /** Answers a paid request; by default with an answer, and its settlement. */
  answerPaid?: (response: ServerResponse) => void;
  /** So many paid requests get no answer. */
  lostAnswers: number;
  /** How long its MPP challenges can be answered; by default, a minute. */
  expiresInMs?: number;
  /** Redirects whatever comes. */
  redirectTo?: string;
}

/** A stranger who sells by x402 or MPP and verifies nothing; real sellers are met in test/e2e. */
export interface SellerDouble {
  url: string;
  mischief: SellerMischief;
  /** The headers of each request. */
  requests: IncomingHttpHeaders[];
  /** The payment header of each request that had one. */
  payments: () => string[];
  close: () => Promise<void>;
}

/** What a JSON answer of the double is. */
export const sellerAnswer = { choices: [{ index: 0, message: { role: 'assistant', content: 'sold' } }] };

/** Ends a paid request well. */
export function settleWith(response: ServerResponse, settlement: Record<string, unknown> | undefined): void {
  if (settlement) response.setHeader('PAYMENT-RESPONSE', encodeHeaderJson(settlement));
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(sellerAnswer));
}

/** Starts the double on a free port. */
export async function startSellerDouble(): Promise<SellerDouble> {
  const mischief: SellerMischief = { accepts: () => [offerOf()], version: 2, lostAnswers: 0 };
  const requests: IncomingHttpHeaders[] = [];
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      requests.push(request.headers);
      if (request.url === '/healthz') return void response.writeHead(404).end('no such page');
      if (mischief.redirectTo) return void response.writeHead(307, { location: mischief.redirectTo }).end();
      if (paymentIn(request.headers) === undefined) {
        asked += 1;
        return ask(response, mischief, asked);
      }
      if (mischief.lostAnswers > 0) {
        mischief.lostAnswers -= 1;
        return void response.destroy();
      }
      const settled = { success: true, transaction: `0x${'7a'.repeat(32)}`, network: 'eip155:8453', payer: '0x' };
      if (mischief.answerPaid) mischief.answerPaid(response);
      else settleWith(response, settled);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mischief,
    requests,
    payments: () => requests.flatMap((headers) => paymentIn(headers) ?? []),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function paymentIn(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  const x402 = headers['payment-signature'] ?? headers['x-payment'];
  return typeof x402 === 'string' ? x402 : authorization?.startsWith('Payment ') ? authorization : undefined;
}

/** Sends a 402. */
export function ask(
  response: ServerResponse,
  { accepts, version, expiresInMs = 60_000 }: Pick<SellerMischief, 'accepts' | 'version' | 'expiresInMs'>,
  asked: number,
): void {
  const offers = accepts(asked);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  let body: unknown = {};
  if (version === 2) {
    const resource = { url: 'http://seller.example/', description: '', mimeType: 'application/json' };
    headers['PAYMENT-REQUIRED'] = encodeHeaderJson({ x402Version: 2, error: 'pay first', resource, accepts: offers });
  } else if (version === 1) {
    const older = offers.map(({ amount, ...offer }) => ({ ...offer, network: 'base', maxAmountRequired: amount }));
    body = { x402Version: 1, error: 'pay first', accepts: older };
  } else {
    headers['WWW-Authenticate'] = offers.map((offer) => formatChallenge(chargeOf(offer, expiresInMs))).join(', ');
  }
  response.writeHead(402, headers).end(JSON.stringify(body));
}

function chargeOf({ amount, asset, payTo }: Record<string, unknown>, expiresInMs: number) {
  const methodDetails = { chainId: 8_453, credentialTypes: ['authorization'], decimals: 6 };
  const request = encodeBase64UrlJson({ amount, currency: asset, recipient: payTo, methodDetails });
  const expires = new Date(Date.now() + expiresInMs).toISOString();
  return { id: 'charge-1', realm: 'seller', method: 'evm', intent: 'charge', request, expires };
}
