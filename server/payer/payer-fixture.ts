import { createPurchaseLedger } from '../ledger/create-purchase-ledger.ts';
import { openTestBooks, type TestBooks } from '../ledger/test-books.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { Transport, UpstreamRequest, UpstreamResponse } from '../call/transport.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { SellerTerms } from './seller-terms.ts';
import type { PayableRequest } from './upstream-payer.ts';

/** Test support for what the relay buys: real books, wallets, and providers in memory. */

export const address = (byte: string): Hex => `0x${byte.repeat(20)}`;

export const wallet = {
  privateKey: Buffer.alloc(32, 7),
  address: addressOfPrivateKey(Buffer.alloc(32, 7)),
};

export const terms: SellerTerms = {
  ...{ provider: 'seller', chainId: 31_337, token: { symbol: 'USDC', address: address('c1'), decimals: 6 } },
  ...{ maxPerCall: 1_000n, maxPerDay: 3_000n, payTo: null },
};

/** 2026-11-21, 12:00 UTC. */
export const nowMs = 1_795_262_400_000;

/** The books of purchases on a real file, without a writer thread. */
export function openPurchaseBooks(): { books: TestBooks; ledger: PurchaseLedger } {
  const books = openTestBooks();
  const ledger = createPurchaseLedger({
    call: async (name, argument) => books.run(name, argument),
  });
  return { books, ledger };
}

/** Lines of a log, by their message. */
export class LogLines {
  readonly lines: { level: 'info' | 'warn' | 'error'; message: string; facts: object }[] = [];
  readonly log: JobLog = {
    info: (facts, message) => void this.lines.push({ level: 'info', message, facts }),
    warn: (facts, message) => void this.lines.push({ level: 'warn', message, facts }),
    error: (facts, message) => void this.lines.push({ level: 'error', message, facts }),
  };
}

export function payable(changes: Partial<PayableRequest> = {}): PayableRequest {
  return {
    path: '/v1/chat/completions',
    ...{ deployment: { id: 'seller@x', provider: 'seller', model: 'm' }, body: Buffer.from('{"model":"m"}') },
    ...{ stream: false, signal: new AbortController().signal, attempt: { callId: createCallId(), number: 1 } },
    ...changes,
  };
}

/** An answer in memory. */
export function answer(
  status: number,
  headers: Record<string, string> = {},
  chunks: readonly string[] = [],
): UpstreamResponse {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  return { status, headers, body: body(), destroy: () => undefined };
}

/** A transport that answers by a function, and remembers what it was sent. */
export function transportOf(
  respond: (request: UpstreamRequest) => UpstreamResponse | Error,
): Transport & { sent: UpstreamRequest[] } {
  const sent: UpstreamRequest[] = [];
  return {
    sent,
    async send(request) {
      sent.push(request);
      const response = respond(request);
      if (response instanceof Error) throw response;
      return response;
    },
  };
}
