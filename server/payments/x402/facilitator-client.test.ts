import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { decodePayment } from '../../../protocol/x402/decode-payment.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import { describePayment } from '../../settlement/payment-payload.ts';
import type { DuePayment } from '../../ledger/background-ledger.ts';
import { createFacilitatorClient } from './facilitator-client.ts';
import { requireTerms } from './require-terms.ts';
import { signPayment, terms } from './x402-fixture.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

/** A facilitator that gives one answer to everything, and keeps what it was asked. */
async function startFacilitator(status: number, answer: object) {
  const asked: { path: string | undefined; body: Record<string, unknown> }[] = [];
  server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      asked.push({ path: request.url, body });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  const listening = server;
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  return {
    client: createFacilitatorClient({ url, terms, readAvailable: () => Promise.resolve(7n), timeoutMs: 500 }),
    asked,
  };
}

async function pay() {
  const payment = await signPayment();
  const taken = requireTerms(terms, decodePayment('PAYMENT-SIGNATURE', encodeHeaderJson(payment)));
  return { ...taken, json: payment, due: describePayment(taken.payment) as unknown as DuePayment };
}

describe('a facilitator outside', () => {
  it('verifies exactly what the payer signed', async () => {
    const { client, asked } = await startFacilitator(200, { isValid: true });
    const { payment, token, json } = await pay();
    // What else the wallet has signed away is the relay's own concern.
    expect(await client.verify(payment, token)).toBe(7n);
    const signed = json['payload'] as { authorization: Record<string, string>; signature: string };
    expect(asked).toMatchObject([
      {
        path: '/verify',
        body: {
          x402Version: 2,
          paymentPayload: { accepted: { payTo: terms.desk }, payload: { signature: signed.signature } },
          paymentRequirements: { scheme: 'exact', amount: '5000', payTo: terms.desk },
        },
      },
    ]);
    const { paymentPayload } = asked[0]?.body as { paymentPayload: { payload: { authorization: object } } };
    const lower = Object.entries(signed.authorization).map(([name, value]) => [name, value.toLowerCase()]);
    expect(paymentPayload.payload.authorization).toEqual(Object.fromEntries(lower));
  });

  it.each([200, 400])('refuses with its reason, whatever the status: %s', async (status) => {
    const { client } = await startFacilitator(status, { isValid: false, invalidReason: 'insufficient_funds' });
    const { payment, token } = await pay();
    await expect(client.verify(payment, token)).rejects.toThrow(
      expect.objectContaining({ code: 'payment_invalid', facts: { reason: 'insufficient_funds' } }),
    );
  });

  it.each([
    [500, { error: 'down' }],
    [200, { unexpected: true }],
  ])('that fails blames no payer: %s', async (status, answer) => {
    const { client } = await startFacilitator(status, answer);
    const { payment, token } = await pay();
    await expect(client.verify(payment, token)).rejects.toThrow(
      expect.objectContaining({ code: 'facilitator_unavailable' }),
    );
  });

  it('settles what the ledger kept', async () => {
    const { client, asked } = await startFacilitator(200, {
      ...{ success: true, transaction: `0x${'ab'.repeat(32)}`, network: 'eip155:8453' },
    });
    const { due, json } = await pay();
    await client.submit(due);
    const { signature } = json['payload'] as { signature: string };
    expect(asked).toMatchObject([{ path: '/settle', body: { paymentPayload: { payload: { signature } } } }]);
  });

  it('that does not settle says so', async () => {
    const { client } = await startFacilitator(200, {
      ...{ success: false, errorReason: 'nonce_used', transaction: '', network: 'eip155:8453' },
    });
    const { due } = await pay();
    await expect(client.submit(due)).rejects.toThrow('nonce_used');
  });
});
