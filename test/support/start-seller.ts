import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { x402Facilitator } from '@x402/core/facilitator';
import { x402HTTPResourceServer, x402ResourceServer, type RoutesConfig } from '@x402/core/server';
import { toFacilitatorEvmSigner } from '@x402/evm';
import { ExactEvmScheme as ExactFacilitator } from '@x402/evm/exact/facilitator';
import { ExactEvmScheme as ExactServer } from '@x402/evm/exact/server';
import { UptoEvmScheme as UptoFacilitator } from '@x402/evm/upto/facilitator';
import { UptoEvmScheme as UptoServer } from '@x402/evm/upto/server';
import { Mppx, evm } from 'mppx/server';
import { createWalletClient, defineChain, http, parseAbi, publicActions } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** A seller of LLM calls built of x402's and MPP's own server libraries; nothing of it is ours but the answers. */
export interface TestSeller {
  /** `/exact/v1`, `/upto/v1` and `/mpp/v1` sell chat completions by these methods. */
  url: string;
  /** Whom it is paid to. */
  payTo: Hex;
  /** So many answers are lost after they were paid. */
  lose(answers: number): void;
  /** How many calls it has served. */
  served(): number;
  stop(): Promise<void>;
}

const network = 'eip155:31337';
const transferAbi = parseAbi([
  'function transferWithAuthorization(address, address, uint256, uint256, uint256, bytes32, bytes)',
]);

/**
 * Starts the seller on the local chain.
 * @param options.price of a call; `upto` takes half of it.
 * @param options.settlerKey of an account with ether, which settles.
 */
export async function startSeller(options: {
  rpcUrl: string;
  usdc: Hex;
  price: bigint;
  settlerKey: Hex;
}): Promise<TestSeller> {
  const { rpcUrl, usdc, price, settlerKey } = options;
  const account = privateKeyToAccount(settlerKey);
  const nativeCurrency = { name: 'Ether', symbol: 'ETH', decimals: 18 };
  const rpcUrls = { default: { http: [rpcUrl] } };
  const chain = defineChain({ id: 31_337, name: 'local', nativeCurrency, rpcUrls });
  const client = createWalletClient({ account, chain, transport: http(rpcUrl), pollingInterval: 50 }).extend(
    publicActions,
  );
  const payTo: Hex = '0x5e115e115e115e115e115e115e115e115e115e11';
  let served = 0;
  let toLose = 0;
  let settling: Promise<unknown> = Promise.resolve();
  /** One after the other, as the nonces of one account have to be. */
  function inTurn<T>(settle: () => Promise<T>): Promise<T> {
    const turn = settling.then(settle);
    settling = turn.catch(() => undefined);
    return turn;
  }

  const signer = toFacilitatorEvmSigner({
    address: account.address,
    getCode: (args) => client.getCode(args),
    readContract: (args) => client.readContract({ ...args, args: args.args ?? [] }),
    verifyTypedData: (args) => client.verifyTypedData(args as never),
    writeContract: (args) => client.writeContract(args),
    sendTransaction: (args) => client.sendTransaction(args as never),
    waitForTransactionReceipt: (args) => client.waitForTransactionReceipt(args),
  });
  const facilitator = new x402Facilitator()
    .register(network, new ExactFacilitator(signer))
    .register(network, new UptoFacilitator(signer));
  const resources = new x402ResourceServer({
    verify: (payload, requirements) => facilitator.verify(payload, requirements),
    settle: (payload, requirements) => inTurn(() => facilitator.settle(payload, requirements)),
    getSupported: () => Promise.resolve(facilitator.getSupported() as never),
  })
    .register(network, new ExactServer())
    .register(network, new UptoServer());
  const domain = { name: 'USD Coin', version: '2' };
  const routeOf = (scheme: 'exact' | 'upto') => {
    const cost = { amount: price.toString(), asset: usdc, extra: domain };
    return { accepts: { scheme, network, payTo, price: cost, maxTimeoutSeconds: 300 } } as const;
  };
  const routes: RoutesConfig = {
    'POST /exact/v1/chat/completions': routeOf('exact'),
    'POST /upto/v1/chat/completions': routeOf('upto'),
  };
  const x402 = new x402HTTPResourceServer(resources, routes);
  await x402.initialize();
  const mppx = Mppx.create({
    ...{ realm: 'seller.example', secretKey: 'a secret of the test, 32 bytes long' },
    methods: [
      evm.charge({
        ...{ currency: usdc, recipient: payTo, chainId: 31_337, decimals: 6, authorization: domain },
        async settle({ payload }) {
          const { from, to, value, validAfter, validBefore, nonce, signature } = payload;
          const numbers = [BigInt(value), BigInt(validAfter), BigInt(validBefore)] as const;
          const args = [from as Hex, to as Hex, ...numbers, nonce as Hex, signature as Hex] as const;
          const call = { address: usdc, abi: transferAbi, functionName: 'transferWithAuthorization', args } as const;
          const reference = await inTurn(async () => {
            const hash = await client.writeContract(call);
            await client.waitForTransactionReceipt({ hash });
            return hash;
          });
          return { reference };
        },
      }),
    ],
  });

  async function serveX402(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    const path = request.url ?? '/';
    const header = request.headers['payment-signature'];
    const adapter = {
      getHeader: (name: string) => request.headersDistinct[name.toLowerCase()]?.[0],
      ...{ getMethod: () => 'POST', getPath: () => path, getUrl: () => path },
      ...{ getAcceptHeader: () => 'application/json', getUserAgent: () => 'test' },
    };
    const context = { adapter, path, method: 'POST', ...(typeof header === 'string' && { paymentHeader: header }) };
    const processed = await x402.processHTTPRequest(context);
    if (processed.type === 'payment-error') {
      const { status, headers, body: refusal } = processed.response;
      return void response.writeHead(status, headers).end(JSON.stringify(refusal ?? {}));
    }
    if (processed.type !== 'payment-verified') throw new Error('the route is not protected');
    const { paymentPayload, paymentRequirements } = processed;
    const half = path.startsWith('/upto') ? { amount: (price / 2n).toString() } : undefined;
    const settled = await x402.processSettlement(paymentPayload, paymentRequirements, undefined, undefined, half);
    for (const [name, value] of Object.entries(settled.headers)) response.setHeader(name, value);
    if (!settled.success) return void response.writeHead(402).end('{}');
    answer(response, body);
  }

  async function serveMpp(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    const headers = new Headers();
    for (const [name, values = []] of Object.entries(request.headersDistinct)) headers.set(name, values.join(', '));
    const asked = new Request(`http://seller.example${request.url ?? '/'}`, { method: 'POST', headers, body });
    const result = await mppx.evm.charge({ amount: `0.${price.toString().padStart(6, '0')}` })(asked);
    const paid = result.status === 402 ? result.challenge : result.withReceipt(new Response());
    for (const [name, value] of paid.headers) response.setHeader(name, value);
    if (result.status === 402) return void response.writeHead(402).end(await paid.text());
    answer(response, body);
  }

  function answer(response: ServerResponse, body: string): void {
    served += 1;
    if (toLose > 0) {
      toLose -= 1;
      return void response.destroy();
    }
    const { stream } = JSON.parse(body) as { stream?: boolean };
    const choice = { index: 0, finish_reason: 'stop' };
    const base = { id: 'x', created: 0, model: 'stranger' };
    if (stream) {
      const chunk = { ...base, object: 'chat.completion.chunk', choices: [{ ...choice, delta: { content: 'sold' } }] };
      return void response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    }
    const message = { role: 'assistant', content: 'sold' };
    const completion = { ...base, object: 'chat.completion', choices: [{ ...choice, message }] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion));
  }

  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      if (request.method !== 'POST') return void response.writeHead(404).end();
      const serve = request.url?.startsWith('/mpp') ? serveMpp : serveX402;
      await serve(request, response, body);
    })().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    payTo,
    lose: (answers) => {
      toLose = answers;
    },
    served: () => served,
    stop: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
