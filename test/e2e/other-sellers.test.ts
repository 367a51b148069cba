import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { createPublicClient, createWalletClient, http, maxUint256 } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWallet, type Wallet, type WalletOptions } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { startSidecar } from '../../client/sidecar.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { permit2Address } from '../../protocol/x402/addresses.ts';
import { LOCAL_DEPLOYER_KEY } from '../../scripts/stack/start-local-chain.ts';
import { deployStack, type ChainStack } from '../support/deploy-stack.ts';
import { startSeller, type TestSeller } from '../support/start-seller.ts';

// Sellers of x402's and MPP's own server libraries, real USDC and Permit2 code on a local chain, and no relay anywhere.
const price = 3_000n;
let stack: ChainStack;
let seller: TestSeller;
let folder: string;

beforeAll(async () => {
  stack = await deployStack();
  const { rpcUrl } = stack.chain;
  seller = await startSeller({ rpcUrl, usdc: stack.contracts.usdc, price, settlerKey: LOCAL_DEPLOYER_KEY });
  folder = await mkdtemp(join(tmpdir(), 'autopay-strangers-'));
}, 180_000);
afterAll(async () => {
  await seller.stop();
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});

const reader = () => createPublicClient({ transport: http(stack.chain.rpcUrl), pollingInterval: 50 });
const token = () => ({ address: stack.contracts.usdc, abi: fiatTokenAbi }) as const;
const balanceOf = (owner: Hex) => reader().readContract({ ...token(), functionName: 'balanceOf', args: [owner] });

async function sendAsPayer(functionName: 'transfer' | 'approve', args: readonly [Hex, bigint]): Promise<void> {
  const account = privateKeyToAccount(toHex(stack.payerKey));
  const wallet = createWalletClient({ account, transport: http(stack.chain.rpcUrl) });
  await reader().waitForTransactionReceipt({
    hash: await wallet.writeContract({ ...token(), functionName, args, chain: null }),
  });
}

function walletOptions(privateKey: Hex, more: Partial<WalletOptions> = {}): WalletOptions {
  const asset = { chainId: 31_337, address: stack.contracts.usdc, symbol: 'USDC', decimals: 6 };
  return {
    ...{
      relayUrl: seller.url,
      privateKey,
      stateDir: join(folder, privateKey.slice(0, 12)),
      onWarning: () => undefined,
    },
    sellers: { assets: [{ ...asset, domain: { name: 'USD Coin', version: '2' } }] },
    ...more,
  };
}

/** A wallet that has USDC and no ether. */
async function newWallet(more: Partial<WalletOptions> = {}): Promise<Wallet> {
  const privateKey = generatePrivateKey();
  await sendAsPayer('transfer', [privateKeyToAccount(privateKey).address, 20_000n]);
  return openWallet(walletOptions(privateKey, more));
}

const addressOf = (wallet: Wallet) => privateKeyToAccount(wallet.options.privateKey).address;
const question = { model: 'stranger', messages: [{ role: 'user' as const, content: 'Hi.' }] };
const clientOf = (wallet: Wallet, path: string) =>
  new OpenAI({ baseURL: `${seller.url}${path}`, apiKey: 'unused', fetch: createPayFetch(wallet) });

describe.each(['/exact/v1', '/mpp/v1'])('a seller that is no relay of ours, at %s', (path) => {
  it('is paid its price for a JSON answer, and once for a stream of the OpenAI client', async () => {
    const wallet = await newWallet();
    const before = await balanceOf(seller.payTo);
    const client = clientOf(wallet, path);
    const answer = await client.chat.completions.create(question);
    expect(answer.choices[0]?.message.content).toBe('sold');
    let streamed = '';
    for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? '';
    }
    expect(streamed).toBe('sold');
    expect([await balanceOf(addressOf(wallet)), await balanceOf(seller.payTo)]).toEqual([14_000n, before + 6_000n]);
    const payments = await wallet.payments.list();
    expect(payments).toHaveLength(2);
    for (const payment of payments) {
      expect(payment).toMatchObject({ state: 'settled', evidence: 'seller', taken: '3000', callId: null });
      const hash = payment.transaction as Hex;
      expect(await reader().getTransactionReceipt({ hash })).toMatchObject({ status: 'success' });
    }
  });
});

describe('a seller that is no relay of ours', () => {
  it('is not paid twice when its answer is lost: x402’s own server refuses the payment that it took', async () => {
    const wallet = await newWallet();
    seller.lose(1);
    const error: unknown = await clientOf(wallet, '/exact/v1')
      .chat.completions.create(question)
      .then(
        () => expect.fail('it was served'),
        (thrown: unknown) => thrown,
      );
    expect(error).toMatchObject({ status: 402, code: 'payment_refused' });
    expect(await balanceOf(addressOf(wallet))).toBe(17_000n);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'unconfirmed', amount: '3000' }]);
    // It was taken: the wallet counts it.
    expect((await wallet.state.read()).spending).toMatchObject([{ amount: 3_000n }]);
  });

  it('takes by upto what it metered, where Permit2 is allowed', async () => {
    await sendAsPayer('approve', [permit2Address, maxUint256]);
    const options = walletOptions(toHex(stack.payerKey));
    const wallet = openWallet({ ...options, sellers: { ...options.sellers, permit2: true } });
    const before = await balanceOf(stack.payer);
    await clientOf(wallet, '/upto/v1').chat.completions.create(question);
    expect(await balanceOf(stack.payer)).toBe(before - price / 2n);
    expect(await wallet.payments.list()).toMatchObject([{ method: 'x402/upto', taken: '1500', amount: '3000' }]);
  });

  it('is paid within the limits of a day, however many calls come at once', async () => {
    const wallet = await newWallet({ limits: { perDay: '0.0095' } });
    const served = seller.served();
    const client = clientOf(wallet, '/mpp/v1');
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => client.chat.completions.create(question)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect([seller.served() - served, await balanceOf(addressOf(wallet))]).toEqual([3, 11_000n]);
  });

  it('is paid through the sidecar too, whose URL may have a path', async () => {
    const { options } = await newWallet();
    const sidecar = await startSidecar({ ...options, relayUrl: `${seller.url}/exact`, port: 0 });
    try {
      const client = new OpenAI({ baseURL: `${sidecar.url}/v1`, apiKey: 'unused' });
      const answer = await client.chat.completions.create(question);
      expect(answer.choices[0]?.message.content).toBe('sold');
      expect(await balanceOf(privateKeyToAccount(options.privateKey).address)).toBe(17_000n);
    } finally {
      await sidecar.close();
    }
  });
});
