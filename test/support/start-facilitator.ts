import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { x402Facilitator } from '@x402/core/facilitator';
import type { PaymentPayload, PaymentRequirements } from '@x402/core/types';
import { toFacilitatorEvmSigner } from '@x402/evm';
import { ExactEvmScheme } from '@x402/evm/exact/facilitator';
import { createWalletClient, defineChain, http, publicActions } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** An x402 facilitator over HTTP, made of the parts that `@x402` has for it. */
export interface TestFacilitator {
  url: string;
  /** What it was asked, in order. */
  asked: string[];
  stop(): Promise<void>;
}

/** Starts a facilitator that settles from an account. The chain may be named later, since it starts later. */
export async function startFacilitator(): Promise<TestFacilitator & { open(rpcUrl: string, privateKey: Hex): void }> {
  const asked: string[] = [];
  const facilitator = new x402Facilitator();
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? '';
      asked.push(path);
      const { paymentPayload, paymentRequirements } = (await json(request)) as {
        paymentPayload: PaymentPayload;
        paymentRequirements: PaymentRequirements;
      };
      const result =
        path === '/verify'
          ? await facilitator.verify(paymentPayload, paymentRequirements)
          : await facilitator.settle(paymentPayload, paymentRequirements);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
    })().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    open(rpcUrl, privateKey) {
      const account = privateKeyToAccount(privateKey);
      const nativeCurrency = { name: 'Ether', symbol: 'ETH', decimals: 18 };
      const chain = defineChain({
        id: 31_337,
        name: 'local',
        nativeCurrency,
        rpcUrls: { default: { http: [rpcUrl] } },
      });
      const client = createWalletClient({ account, chain, transport: http(rpcUrl) }).extend(publicActions);
      const signer = toFacilitatorEvmSigner({
        address: account.address,
        getCode: (args) => client.getCode(args),
        readContract: (args) => client.readContract({ ...args, args: args.args ?? [] }),
        verifyTypedData: (args) => client.verifyTypedData(args as never),
        writeContract: (args) => client.writeContract(args),
        sendTransaction: (args) => client.sendTransaction(args as never),
        waitForTransactionReceipt: (args) => client.waitForTransactionReceipt(args),
      });
      facilitator.register('eip155:31337', new ExactEvmScheme(signer));
    },
    stop: () => new Promise((done) => void server.close(() => done())),
  };
}
