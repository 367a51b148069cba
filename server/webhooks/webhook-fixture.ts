import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { someCharge, someReserve, testKey, testScope } from '../ledger/ledger-fixtures.ts';
import { openLedger, type RelayLedger } from '../ledger/open-ledger.ts';

/** What a receiver was sent. */
export interface ReceivedMessage {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver on this host. */
export interface TestReceiver {
  url: string;
  received: ReceivedMessage[];
  /** What it answers from now on; the default is 204. */
  answer: (response: ServerResponse, message: ReceivedMessage) => void;
  /** Resolves as soon as so many messages have come in all. */
  sawAtLeast(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a receiver on a free port. */
export async function startReceiver(): Promise<TestReceiver> {
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const message = { headers: request.headers, body: Buffer.concat(pieces).toString() };
      receiver.received.push(message);
      receiver.answer(response, message);
      for (const { count, resolve } of waiting) if (receiver.received.length >= count) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: TestReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/receipts`,
    received: [],
    answer: (response) => response.writeHead(204).end(),
    sawAtLeast: (count) =>
      new Promise((resolve) => {
        if (receiver.received.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

/** A secret as an environment variable holds it. */
export function someSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** The books of the tests in a folder. */
export function openTestLedger(dataDir: string): Promise<RelayLedger> {
  return openLedger({ dataDir, chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey });
}

/** Charges one call of a free route, and says which. */
export async function chargeOne(ledger: RelayLedger): Promise<string> {
  const reserve = someReserve(null, 0n);
  const outcome = await ledger.reserve(reserve);
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  await ledger.charge(someCharge(reserve.callId, 0n, { token: `0x${'00'.repeat(20)}` }));
  return reserve.callId;
}
