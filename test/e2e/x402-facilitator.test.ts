import { decodePaymentResponseHeader } from '@x402/fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHeaderJson } from '../../protocol/x402/header-json.ts';
import { chatBody } from '../support/raw-payer.ts';
import { startFacilitator } from '../support/start-facilitator.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';
import { X402Payer } from '../support/x402-payer.ts';

let facilitator: Awaited<ReturnType<typeof startFacilitator>>;
let stack: TestStack;
let payer: X402Payer;

beforeAll(async () => {
  facilitator = await startFacilitator();
  stack = await startTestStack({ config: { payment: { x402: { facilitatorUrl: facilitator.url } } } });
  const { rpcUrl, relayUrl, tokens } = stack.stack;
  const { privateKey } = stack.payFetchOptions;
  payer = new X402Payer({ relayUrl, rpcUrl, token: tokens['USDC']?.address ?? '0x', privateKey });
  // The facilitator pays for gas from an account of its own; here the wallet lends it hers.
  facilitator.open(rpcUrl, privateKey);
}, 180_000);
afterAll(async () => {
  await stack.stop();
  await facilitator.stop();
});

describe('a facilitator outside', () => {
  it('verifies and settles, and the desk attributes what arrived', async () => {
    const required = await payer.post(chatBody());
    const offers = decodeHeaderJson('', required.headers.get('payment-required') ?? '') as {
      accepts: { scheme: string }[];
    };
    expect(new Set(offers.accepts.map(({ scheme }) => scheme))).toEqual(new Set(['exact']));
    const before = await payer.balance();
    const response = await payer.post(chatBody(), await payer.sign(chatBody(), 'exact'));
    expect(response.status).toBe(200);
    const settled = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '');
    expect(settled).toMatchObject({ success: true });
    expect(await payer.balance()).toBe(before - BigInt(settled.amount ?? ''));
    expect(facilitator.asked).toEqual(['/verify', '/settle']);
  });

  it('refuses what it cannot settle, before anything is served', async () => {
    const headers = await payer.sign(chatBody(), 'exact');
    await payer.submit(headers['PAYMENT-SIGNATURE'] ?? '');
    const response = await payer.post(chatBody(), headers);
    expect(response.status).toBe(402);
    expect(await response.json()).toMatchObject({ error: { code: 'payment_invalid' } });
  });
});
