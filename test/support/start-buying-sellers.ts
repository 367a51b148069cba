import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  decodePaymentSignatureHeader,
  encodePaymentRequiredHeader,
  encodePaymentResponseHeader,
} from '@x402/core/http';
import type { PaymentRequirements, SettleResponse } from '@x402/core/types';
import { evm, Mppx } from 'mppx/server';
import { createWalletClient, http, parseAbi, publicActions } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { randomBytes } from 'node:crypto';
import { startFacilitator } from './start-facilitator.ts';

/** Where a seller is paid. */
export interface SellerChain {
  rpcUrl: string;
  token: Hex;
  /** Pays for the settlements. */
  settlerKey: Hex;
}

/** What a seller does with a request that is paid. */
export type SellerMood =
  /** Answers, and settles. */
  | 'answer'
  /** Verifies, and answers 500 without settling. */
  | 'fail'
  /** Settles, and breaks the connection. */
  | 'take and hang up'
  /** Never answers. */
  | 'hold';

/** A seller of calls on a port of its own. */
export interface TestSeller {
  baseUrl: string;
  payTo: Hex;
  /** Atomic units for each call. */
  price: bigint;
  mood: SellerMood;
  /** Requests, unpaid and paid ones. */
  unpaid: number;
  paid: number;
  /** Bodies of paid requests. */
  bodies: string[];
  /** Names the chain, which starts later. */
  open(chain: SellerChain): void;
  stop(): Promise<void>;
}

type Sale = (request: IncomingMessage, response: ServerResponse, body: string) => Promise<void>;

/** A chat completion of any relay's liking. */
export function answerChat(response: ServerResponse, body: string, headers: Record<string, string> = {}): void {
  const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
  const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
  const common = { id: 'chat-1', created: 1, model };
  if (stream !== true) {
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }];
    const answer = { ...common, object: 'chat.completion', choices, usage };
    response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(answer));
    return;
  }
  const chunk = (more: object) =>
    `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', ...more })}\n\n`;
  const delta = { index: 0, delta: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' };
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
  response.end(`${chunk({ choices: [delta] })}${chunk({ choices: [], usage })}data: [DONE]\n\n`);
}

async function serve(
  sell: (seller: TestSeller) => { sale: Sale; open(chain: SellerChain): void; stop?(): Promise<void> },
) {
  const seller: TestSeller = {
    ...{ baseUrl: '', payTo: toHex(randomBytes(20)), price: 10_000n, mood: 'answer', unpaid: 0, paid: 0, bodies: [] },
    open: (chain) => parts.open(chain),
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await parts.stop?.();
    },
  };
  const parts = sell(seller);
  const server = createServer((request, response) => {
    void (async () => parts.sale(request, response, await text(request)))().catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  seller.baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return seller;
}

/** A provider that asks for nothing. */
export function startPlainSeller(): Promise<TestSeller> {
  return serve((seller) => ({
    open: () => undefined,
    async sale(_, response, body) {
      seller.unpaid += 1;
      answerChat(response, body);
    },
  }));
}

/** An account settles one payment after the other, or its nonces meet. */
function createTurns(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

/** A seller by x402 `exact` (v2), with the facilitator of `@x402` on the real token. */
export async function startX402Seller(): Promise<TestSeller> {
  const facilitator = await startFacilitator();
  let token: Hex = '0x';
  const inTurn = createTurns();
  const ask = async <Result>(path: string, paymentPayload: unknown, paymentRequirements: unknown): Promise<Result> => {
    const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements });
    const response = await fetch(facilitator.url + path, { method: 'POST', body });
    return (await response.json()) as Result;
  };
  return serve((seller) => ({
    stop: () => facilitator.stop(),
    open(chain) {
      token = chain.token;
      facilitator.open(chain.rpcUrl, chain.settlerKey);
    },
    async sale(request, response, body) {
      const requirements: PaymentRequirements = {
        ...{ scheme: 'exact', network: 'eip155:31337', asset: token, amount: String(seller.price) },
        ...{ payTo: seller.payTo, maxTimeoutSeconds: 600, extra: { name: 'USD Coin', version: '2' } },
      };
      const header = request.headers['payment-signature'];
      if (typeof header !== 'string') {
        seller.unpaid += 1;
        const resource = {
          url: `${seller.baseUrl}/chat/completions`,
          description: 'a call',
          mimeType: 'application/json',
        };
        const required = encodePaymentRequiredHeader({ x402Version: 2, resource, accepts: [requirements] });
        response.writeHead(402, { 'payment-required': required }).end('{}');
        return;
      }
      seller.paid += 1;
      seller.bodies.push(body);
      const payload = decodePaymentSignatureHeader(header);
      const { isValid, invalidReason } = await ask<{ isValid: boolean; invalidReason?: string }>(
        '/verify',
        payload,
        requirements,
      );
      if (!isValid) return void response.writeHead(402).end(JSON.stringify({ invalidReason }));
      if (seller.mood === 'fail') return void response.writeHead(500).end('{}');
      if (seller.mood === 'hold') return;
      const settled = await inTurn(() => ask<SettleResponse>('/settle', payload, requirements));
      if (seller.mood === 'take and hang up') return void request.socket.destroy();
      answerChat(response, body, { 'payment-response': encodePaymentResponseHeader(settled) });
    },
  }));
}

const transferAbi = parseAbi([
  'function transferWithAuthorization(address, address, uint256, uint256, uint256, bytes32, bytes)',
]);

/** A seller by MPP `evm/charge`, with the server of `mppx` on the real token. */
export function startChargeSeller(): Promise<TestSeller> {
  let chain: SellerChain | undefined;
  const settle = async (payload: {
    from: string;
    to: string;
    value: string;
    validAfter: string;
    validBefore: string;
    nonce: string;
    signature: string;
  }) => {
    if (!chain) throw new Error('the chain is not named');
    const { from, to, value, validAfter, validBefore, nonce, signature } = payload;
    const account = privateKeyToAccount(chain.settlerKey);
    const wallet = createWalletClient({ account, transport: http(chain.rpcUrl), pollingInterval: 50 }).extend(
      publicActions,
    );
    const args = [
      from as Hex,
      to as Hex,
      BigInt(value),
      BigInt(validAfter),
      BigInt(validBefore),
      nonce as Hex,
      signature as Hex,
    ] as const;
    const hash = await wallet.writeContract({
      ...{ address: chain.token, abi: transferAbi, functionName: 'transferWithAuthorization', args, chain: null },
    });
    const { status } = await wallet.waitForTransactionReceipt({ hash });
    if (status !== 'success') throw new Error('the charge reverted');
    return { reference: hash };
  };
  return serve((seller) => ({
    open: (named) => (chain = named),
    async sale(request, response, body) {
      if (!chain) throw new Error('the chain is not named');
      const charge = evm.charge({
        ...{ chainId: 31_337, currency: chain.token, decimals: 6, recipient: seller.payTo },
        ...{ authorization: { name: 'USD Coin', version: '2' }, settle: ({ payload }) => settle(payload) },
      });
      const payment = Mppx.create({
        methods: [charge],
        realm: 'seller.local',
        secretKey: 'a secret of the tests, 32 bytes long',
      });
      const headers = new Headers(request.headers as Record<string, string>);
      const asked = new Request(`${seller.baseUrl}/chat/completions`, { method: 'POST', headers, body });
      const amount = (Number(seller.price) / 1e6).toString();
      const result = await payment.charge({ amount })(asked);
      if (result.status === 402) {
        seller.unpaid += 1;
        const { challenge } = result;
        response.writeHead(402, Object.fromEntries(challenge.headers)).end(await challenge.text());
        return;
      }
      seller.paid += 1;
      seller.bodies.push(body);
      answerChat(response, body, Object.fromEntries(result.withReceipt(new Response('')).headers));
    },
  }));
}
