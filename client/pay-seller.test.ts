import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { verifyTypedData } from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { parseCredential } from '../protocol/mpp/credential.ts';
import { chargePayloadSchema } from '../protocol/mpp/session-schemas.ts';
import { decodePayment } from '../protocol/x402/decode-payment.ts';
import { openWallet, type Wallet, type WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import { ask, doublePayee, offerOf, settleWith, startSellerDouble, usdcOnBase } from './testing/seller-double.ts';
import { walletAddress, walletKey } from './testing/seed-wallet.ts';

// The sellers are doubles that do what no honest one does; the real x402 server is met in test/e2e/other-sellers.test.ts.
let seller: Awaited<ReturnType<typeof startSellerDouble>>;
let stateDir: string;
let warnings: string[];
beforeEach(async () => {
  seller = await startSellerDouble();
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-sellers-'));
  warnings = [];
});
afterEach(async () => {
  await seller.close();
  await rm(stateDir, { recursive: true, force: true });
});

function walletFor(more: Partial<WalletOptions> = {}): Wallet {
  const onWarning = (message: string) => void warnings.push(message);
  return openWallet({ relayUrl: seller.url, privateKey: walletKey, stateDir, onWarning, ...more });
}

const body = JSON.stringify({ model: 'gpt', messages: [{ role: 'user', content: 'hi' }] });
const post = (wallet: Wallet, headers: Record<string, string> = {}) =>
  createPayFetch(wallet)(`${seller.url}/v1/chat/completions`, { method: 'POST', headers, body });
const errorOf = async (response: Response) => ({
  ...{ status: response.status, retry: response.headers.get('x-should-retry') },
  ...((await response.json()) as { error: { code: string; message: string } }).error,
});
const spentToday = async (wallet: Wallet) => (await wallet.state.read()).spending.map(({ amount }) => amount);

describe('a seller that is no relay', () => {
  it('is paid by x402 version 2, once, within its offer; the wallet records what it says', async () => {
    const wallet = walletFor();
    const response = await post(wallet);
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('sold')]);
    const [payment = ''] = seller.payments();
    expect(seller.payments()).toHaveLength(1);
    const { accepted, signed } = decodePayment('PAYMENT-SIGNATURE', payment);
    expect(accepted).toEqual({ asset: usdcOnBase, amount: 5_000n, payTo: doublePayee });
    expect(signed).toMatchObject({ kind: 'eip3009', payer: walletAddress, recipient: doublePayee, maximum: 5_000n });
    expect(await isSignedBy(walletAddress, signed)).toBe(true);
    expect(await wallet.payments.list()).toEqual([
      expect.objectContaining({
        ...{ state: 'settled', evidence: 'seller', method: 'x402/exact', chainId: 8_453, token: usdcOnBase },
        ...{ amount: '5000', taken: '5000', transaction: `0x${'7a'.repeat(32)}`, payTo: doublePayee, callId: null },
      }),
    ]);
    expect(await spentToday(wallet)).toEqual([5_000n]);
    expect(await wallet.receipts.list()).toEqual([]);
    expect(warnings.join()).toContain('is no AutoPayLLM relay');
    expect((await stat(join(stateDir, 'payments.jsonl'))).mode & 0o777).toBe(0o600);
  });

  it('has the query of its URL, which may hold a secret, neither on the disk nor in what the owner’s log is given', async () => {
    const given: string[] = [];
    const wallet = walletFor({ onPayment: ({ url }) => void given.push(url) });
    const url = `${seller.url}/v1/chat/completions`;
    await createPayFetch(wallet)(`${url}?key=secret`, { method: 'POST', body });
    expect([given, (await wallet.payments.list()).map((payment) => payment.url)]).toEqual([[url], [url]]);
  });

  it('is paid by version 1, with the chain’s old name', async () => {
    seller.mischief.version = 1;
    expect((await post(walletFor())).status).toBe(200);
    const { version, network, signed } = decodePayment('X-PAYMENT', seller.payments()[0] ?? '');
    expect([version, network, signed.maximum, signed.recipient]).toEqual([1, 'base', 5_000n, doublePayee]);
  });

  it('is paid by evm/charge of MPP, in the domain that is known of the token', async () => {
    seller.mischief.version = 'mpp';
    expect((await post(walletFor())).status).toBe(200);
    const credential = parseCredential(seller.payments()[0] ?? '');
    const { data: payload } = chargePayloadSchema.safeParse(credential?.payload);
    expect(payload).toMatchObject({ from: walletAddress, to: doublePayee, value: 5_000n, validAfter: 0n });
    const { from: payer, to: recipient, value: maximum, ...rest } = payload ?? expect.fail('there is no payload');
    expect(await isSignedBy(walletAddress, { payer, recipient, maximum, ...rest })).toBe(true);
  });

  it('has the payment on the disk before it leaves, counted as spent', async () => {
    const seen: unknown[] = [];
    const wallet: Wallet = walletFor({
      fetch: async (input, init) => {
        if (new Headers(init?.headers).has('payment-signature')) {
          seen.push(
            (await wallet.payments.list()).map(({ state }) => state),
            await spentToday(wallet),
          );
        }
        return fetch(input, init);
      },
    });
    await post(wallet);
    expect(seen).toEqual([['signed'], [5_000n]]);
  });

  it('gets the same payment and key again when its answer is lost', async () => {
    seller.mischief.lostAnswers = 2;
    const wallet = walletFor();
    expect((await post(wallet)).status).toBe(200);
    expect(seller.payments()).toHaveLength(3);
    expect(new Set(seller.payments()).size).toBe(1);
    const keys = seller.requests.filter((headers) => headers['payment-signature']).map((h) => h['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(await wallet.payments.list()).toHaveLength(1);
  });

  it('that stays silent is not asked by a new payment; what was signed stays counted', async () => {
    seller.mischief.lostAnswers = 99;
    const wallet = walletFor();
    expect(await errorOf(await post(wallet))).toMatchObject({
      code: 'upstream_unreachable',
      status: 502,
      retry: 'false',
    });
    expect(new Set(seller.payments()).size).toBe(1);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'signed' }]);
    expect(await spentToday(wallet)).toEqual([5_000n]);
  });

  it('gets the same payment again with the key that the error named, for the same request', async () => {
    seller.mischief.lostAnswers = 5;
    const wallet = walletFor();
    const pay = createPayFetch(wallet);
    const send = (headers: Record<string, string>, text = body) =>
      pay(`${seller.url}/v1/chat/completions`, { method: 'POST', headers, body: text });
    const { idempotencyKey } = (await errorOf(await send({}))) as unknown as { idempotencyKey: string };
    expect((await send({ 'idempotency-key': idempotencyKey }, `${body} `)).status).toBe(200);
    expect([seller.payments().length, new Set(seller.payments()).size]).toEqual([6, 2]);
    expect((await send({ 'idempotency-key': idempotencyKey })).status).toBe(200);
    expect([seller.payments().length, new Set(seller.payments()).size]).toEqual([7, 2]);
    // What was answered is over.
    expect((await send({ 'idempotency-key': idempotencyKey })).status).toBe(200);
    expect([seller.payments().length, new Set(seller.payments()).size]).toEqual([8, 3]);
  });

  it('is paid once by a client that repeats what it did not wait for', async () => {
    let answers = 0;
    seller.mischief.answerPaid = (response) => {
      answers += 1;
      if (answers > 1) settleWith(response, { success: true, transaction: `0x${'01'.repeat(32)}` });
    };
    const wallet = walletFor();
    const options = { baseURL: `${seller.url}/v1`, apiKey: 'unused', timeout: 500 };
    const client = new OpenAI({ fetch: createPayFetch(wallet), ...options });
    await client.chat.completions.create({ model: 'gpt', messages: [{ role: 'user', content: 'hi' }] });
    expect([seller.payments().length, new Set(seller.payments()).size]).toEqual([2, 1]);
    expect([await spentToday(wallet), (await wallet.payments.list()).length]).toEqual([[5_000n], 1]);
  });

  it('costs nothing where it asks for nothing, and may refuse in its own words', async () => {
    seller.mischief.accepts = () => [];
    const response = await post(walletFor());
    expect([response.status, seller.payments().length]).toEqual([402, 0]);
  });

  it('is paid for many calls at once, each by a payment of its own, and never beyond the day', async () => {
    const wallet = walletFor({ limits: { perDay: '0.0249' } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(wallet)));
    const codes = answers.map(({ status }) => status).sort();
    expect(codes).toEqual([200, 200, 200, 200, 402, 402, 402, 402]);
    expect(new Set(seller.payments()).size).toBe(4);
    expect(await spentToday(wallet)).toEqual([20_000n]);
  });
});

describe('a strange seller gets an error, and no signature beyond the owner’s word:', () => {
  it.each([
    ['more than one call may cost', { amount: '100001' }, 'wallet_limit_exceeded'],
    ['an unknown token', { asset: `0x${'66'.repeat(20)}` }, 'asset_not_allowed'],
    ['a chain that is not allowed', { network: 'eip155:56' }, 'network_not_allowed'],
    ['the token on another chain', { network: 'eip155:1' }, 'asset_not_allowed'],
    [
      'a chain that is none of Ethereum’s',
      { network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' },
      'network_not_allowed',
    ],
    [
      'Permit2',
      { scheme: 'upto', extra: { assetTransferMethod: 'permit2', facilitatorAddress: doublePayee } },
      'no_usable_method',
    ],
  ])('%s', async (_, change, code) => {
    seller.mischief.accepts = () => [offerOf(change)];
    const wallet = walletFor();
    expect(await errorOf(await post(wallet))).toMatchObject({ code, status: 402, retry: 'false' });
    expect(seller.payments()).toEqual([]);
    expect([await wallet.payments.list(), await spentToday(wallet)]).toEqual([[], []]);
  });

  it('names the limit that forbids it, and how to raise it', async () => {
    seller.mischief.accepts = () => [offerOf({ amount: '100001' })];
    const { message } = await errorOf(await post(walletFor()));
    expect(message).toMatch(
      /0\.100001 USDC; the limit for one call is 0\.100000 USDC\. .*autopay limits set --per-call/,
    );
    seller.mischief.accepts = () => [offerOf({ amount: '6000000' })];
    const { message: day } = await errorOf(await post(walletFor({ limits: { perCall: '100' } })));
    expect(day).toContain('the limit for one day (UTC) is 5.000000 USDC');
  });

  it('a token in whose domain nobody knows how to sign: nothing counts as spent', async () => {
    const token: Hex = `0x${'70'.repeat(20)}`;
    const asset = { chainId: 8_453, address: token, symbol: 'TOK', decimals: 6 };
    seller.mischief.accepts = () => [offerOf({ asset: token, extra: {} })];
    const wallet = walletFor({ sellers: { assets: [asset] } });
    expect(await errorOf(await post(wallet))).toMatchObject({ code: 'payment_invalid', status: 402 });
    expect([seller.payments(), await spentToday(wallet)]).toEqual([[], [0n]]);
  });

  it('402 again after the payment: it is not paid twice', async () => {
    seller.mischief.answerPaid = (response) => ask(response, { accepts: () => [offerOf()], version: 2 }, 9);
    const wallet = walletFor();
    const error = await errorOf(await post(wallet));
    expect(error).toMatchObject({ code: 'payment_refused', status: 402, retry: 'false', sellerSays: 'pay first' });
    expect(seller.payments()).toHaveLength(1);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'refused', reason: 'pay first', taken: null }]);
    // The seller may still use the signature.
    expect(await spentToday(wallet)).toEqual([5_000n]);
  });

  it.each([
    ['payee', { payTo: `0x${'77'.repeat(20)}` }],
    ['amount', { amount: '5001' }],
    ['token', { asset: `0x${'66'.repeat(20)}` }],
  ])('another %s after the payment', async (_, change) => {
    seller.mischief.answerPaid = (response) => ask(response, { accepts: () => [offerOf(change)], version: 2 }, 9);
    const wallet = walletFor();
    expect(await errorOf(await post(wallet))).toMatchObject({ code: 'offer_changed', status: 402, retry: 'false' });
    expect(seller.payments()).toHaveLength(1);
  });

  it('a redirect, before the payment and after it', async () => {
    const elsewhere = await startSellerDouble();
    try {
      seller.mischief.redirectTo = `${elsewhere.url}/v1/chat/completions`;
      const wallet = walletFor();
      expect(await errorOf(await post(wallet))).toMatchObject({
        code: 'redirect_refused',
        status: 502,
        retry: 'false',
      });
      delete seller.mischief.redirectTo;
      seller.mischief.answerPaid = (response) => response.writeHead(307, { location: `${elsewhere.url}/` }).end();
      expect(await errorOf(await post(wallet))).toMatchObject({ code: 'redirect_refused' });
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('a failure after the payment is no reason for clients to pay again', async () => {
    seller.mischief.answerPaid = (response) => response.writeHead(500).end('{}');
    const wallet = walletFor();
    const response = await post(wallet);
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([500, 'false']);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'unconfirmed', reason: '500' }]);
  });

  it('nor is an outcome that cannot be noted: the answer is paid for', async () => {
    const wallet = walletFor({
      onPayment() {
        throw new Error('the log is full');
      },
    });
    const client = new OpenAI({ fetch: createPayFetch(wallet), baseURL: `${seller.url}/v1`, apiKey: 'unused' });
    await client.chat.completions.create({ model: 'gpt', messages: [{ role: 'user', content: 'hi' }] });
    expect(seller.payments()).toHaveLength(1);
    expect(warnings.at(-1)).toContain('could not be noted (the log is full)');
  });

  it('no word of a settlement, a failed one, or one of more than was signed', async () => {
    seller.mischief.answerPaid = (response) => settleWith(response, undefined);
    const wallet = walletFor();
    await post(wallet);
    seller.mischief.answerPaid = (response) => settleWith(response, { success: false, errorReason: 'no gas' });
    await post(wallet);
    expect(warnings.at(-1)).toContain('could not settle the payment (no gas)');
    const transaction = `0x${'01'.repeat(32)}`;
    seller.mischief.answerPaid = (response) => settleWith(response, { success: true, transaction, amount: '6000' });
    await post(wallet);
    expect(warnings.at(-1)).toContain('0.005000 USDC was signed, and no more can have been');
    const payments = await wallet.payments.list();
    expect(payments.map(({ state, taken }) => [state, taken])).toEqual([
      ['unconfirmed', null],
      ['unconfirmed', null],
      ['settled', '5000'],
    ]);
    expect(await spentToday(wallet)).toEqual([15_000n]);
  });

  it('a gateway that answers in its place: the same payment is sent again', async () => {
    let failures = 1;
    seller.mischief.answerPaid = (response) => {
      failures -= 1;
      if (failures < 0) settleWith(response, { success: true, transaction: `0x${'01'.repeat(32)}` });
      else response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>');
    };
    const wallet = walletFor();
    expect((await post(wallet)).status).toBe(200);
    expect([seller.payments().length, new Set(seller.payments()).size]).toEqual([2, 1]);
    expect(await wallet.payments.list()).toMatchObject([{ state: 'settled' }]);
  });

  it('a stream that ends without [DONE] ends with an error', async () => {
    seller.mischief.answerPaid = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {"choices":[]}\n\n');
    };
    const text = await readUntilError(await post(walletFor()));
    expect(text).toContain('"code":"upstream_truncated"');
  });

  it('a signature that is good for years: it gets one of an hour', async () => {
    seller.mischief.accepts = () => [offerOf({ maxTimeoutSeconds: 31_000_000 })];
    await post(walletFor());
    const { signed } = decodePayment('PAYMENT-SIGNATURE', seller.payments()[0] ?? '');
    expect(Number(signed.validBefore)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1_000) + 3_600);
  });
});

describe('which offer is taken', () => {
  it('one on another origin is only paid where the owner has a policy for sellers', async () => {
    const other = await startSellerDouble();
    try {
      const url = `${other.url}/v1/chat/completions`;
      await expect(createPayFetch(walletFor())(url, { method: 'POST', body })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
      const answer = await createPayFetch(walletFor({ sellers: {} }))(url, { method: 'POST', body });
      expect([answer.status, other.payments().length, seller.requests.length]).toEqual([200, 1, 0]);
    } finally {
      await other.close();
    }
  });

  it('the owner’s own token, on the owner’s own chain, in the domain that the owner knows', async () => {
    const token: Hex = `0x${'70'.repeat(20)}`;
    const domain = { name: 'Token', version: '1' };
    const asset = { chainId: 31_337, address: token, symbol: 'TOK', decimals: 18, domain };
    const extra = { name: 'Another', version: '9' };
    seller.mischief.accepts = () => [offerOf(), offerOf({ network: 'eip155:31337', asset: token, extra })];
    expect((await post(walletFor({ sellers: { assets: [asset] } }))).status).toBe(200);
    const { signed } = decodePayment('PAYMENT-SIGNATURE', seller.payments()[0] ?? '');
    expect(signed.token).toBe(token);
    expect(await isSignedBy(walletAddress, signed, { ...domain, chainId: 31_337, verifyingContract: token })).toBe(
      true,
    );
  });

  it('a token whose address the owner writes with capitals, as most tools do', async () => {
    const address: Hex = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913';
    const asset = { chainId: 8_453, address, symbol: 'USDC', decimals: 6 };
    const wallet = walletFor({ sellers: { assets: [asset] }, limits: { perDay: '0.009' } });
    expect([(await post(wallet)).status, await spentToday(wallet)]).toEqual([200, [5_000n]]);
    expect(await errorOf(await post(wallet))).toMatchObject({ code: 'wallet_limit_exceeded', limit: 'perDay' });
  });

  it('none that has lapsed', async () => {
    seller.mischief.version = 'mpp';
    seller.mischief.expiresInMs = -1_000;
    const wallet = walletFor();
    expect((await post(wallet)).status).toBe(402);
    expect([seller.payments(), await spentToday(wallet)]).toEqual([[], []]);
  });

  it('upto, where Permit2 is allowed; the limits count what was signed, since only the seller says what it took', async () => {
    const extra = { assetTransferMethod: 'permit2', facilitatorAddress: doublePayee };
    seller.mischief.accepts = () => [offerOf(), offerOf({ scheme: 'upto', extra })];
    seller.mischief.answerPaid = (response) =>
      settleWith(response, { success: true, transaction: `0x${'02'.repeat(32)}`, amount: '1200' });
    const wallet = walletFor({ sellers: { permit2: true } });
    await post(wallet);
    const { signed } = decodePayment('PAYMENT-SIGNATURE', seller.payments()[0] ?? '');
    expect(signed).toMatchObject({ kind: 'permit2-upto', facilitator: doublePayee, maximum: 5_000n });
    expect(await wallet.payments.list()).toMatchObject([{ method: 'x402/upto', taken: '1200' }]);
    expect(await spentToday(wallet)).toEqual([5_000n]);
  });
});

async function readUntilError(response: Response): Promise<string> {
  let text = '';
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) text += next.value;
  } catch {
    return text;
  }
  throw new Error('the stream ended as if it were whole');
}

const baseUsdcDomain = { name: 'USD Coin', version: '2', chainId: 8_453, verifyingContract: usdcOnBase };

function isSignedBy(
  address: Hex,
  signed: {
    payer: Hex;
    recipient: Hex;
    maximum: bigint;
    validAfter: bigint;
    validBefore: bigint;
    nonce: Hex;
    signature: Hex;
  },
  domain: { name: string; version: string; chainId: number; verifyingContract: Hex } = baseUsdcDomain,
): Promise<boolean> {
  const { payer: from, recipient: to, maximum: value, validAfter, validBefore, nonce, signature } = signed;
  const fields = [
    'address from',
    'address to',
    'uint256 value',
    'uint256 validAfter',
    'uint256 validBefore',
    'bytes32 nonce',
  ];
  const types = fields.map((field) => ({ type: field.split(' ')[0] ?? '', name: field.split(' ')[1] ?? '' }));
  const message = { from, to, value, validAfter, validBefore, nonce };
  return verifyTypedData({
    ...{ address, domain, types: { TransferWithAuthorization: types } },
    ...{ primaryType: 'TransferWithAuthorization', message, signature },
  });
}
