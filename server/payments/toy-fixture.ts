import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { keccak256 } from '../../protocol/bytes/keccak256.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import type { PaymentMethod } from './payment-method.ts';

/** For tests: where the toy's money is. It survives a relay, as a chain does. */
export class ToyBank {
  readonly balances = new Map<Hex, bigint>();
  /** What was taken, by payment. */
  readonly taken = new Map<Hex, bigint>();
  /** Before it, nothing is answered; as if transactions waited. */
  opening: Promise<void> = Promise.resolve();
  /** While true, every request times out. */
  isSlow = false;
  /** Transactions that were tried. */
  tries = 0;

  /** Moves money once, however often it is asked. */
  async take(paymentId: Hex, { payer, amount }: { payer: Hex; amount: bigint }): Promise<'taken' | 'slow' | 'broke'> {
    this.tries += 1;
    await this.opening;
    if (this.isSlow) return 'slow';
    if (this.taken.has(paymentId)) return 'taken';
    const balance = this.balances.get(payer) ?? 0n;
    if (balance < amount) return 'broke';
    this.balances.set(payer, balance - amount);
    this.taken.set(paymentId, amount);
    return 'taken';
  }
}

/** For tests: the header of a toy payment. */
export function payByToy(payer: Hex, nonce: number, maximum: bigint): Record<string, string> {
  return { 'toy-payment': `${payer} ${nonce} ${maximum}` };
}

/**
 * For tests: a way to pay without a chain. `Toy-Payment: <payer> <nonce> <maximum>` is a payment for one call, of which the
 * charge is taken from the payer's balance at a bank. `Toy-Events` asks for named events.
 */
export function createToyMethod(options: {
  token: Hex;
  bank: ToyBank;
  ledger: Pick<BackgroundLedger, 'settlePayment' | 'losePayment' | 'getPayment'>;
}): PaymentMethod {
  const { bank, ledger, token } = options;
  return {
    name: 'toy',
    carries: (headers) => headers['toy-payment'] !== undefined,
    admit({ headers }) {
      const { 'toy-payment': payment } = headers;
      if (payment === undefined) return Promise.resolve(undefined);
      const [, payer, nonce, maximum] = /^(0x[0-9a-f]{40}) ([0-9]+) ([0-9]+)$/.exec(payment) ?? [];
      if (payer === undefined || maximum === undefined) {
        throw new AutoPayError('malformed_credential', 'Send "Toy-Payment: <payer> <nonce> <maximum>".');
      }
      const paymentId = toHex(keccak256(Buffer.from(`toy:${payer}:${nonce}`)));
      return Promise.resolve({
        funds: {
          kind: 'direct',
          payment: {
            ...{ paymentId, kind: 'permit2-upto', payer: payer as Hex, token, maximum: BigInt(maximum), payload: '{}' },
            ...{ validBefore: null, available: 2n ** 128n - 1n },
          },
        },
        ...{ channel: null, token, headroom: null, scopes: [], keyId: null, idempotencyScope: payer },
        wantsPaymentEvents: headers['toy-events'] !== undefined,
      });
    },
    challenge: ({ quotes }) => {
      const quote = quotes?.get(token);
      if (quote === undefined) return undefined;
      return {
        offers: 1,
        headers: () => ({ 'Toy-Payment-Required': String(quote) }),
        body: { toyVersion: 1 },
        facts: { quote: String(quote) },
      };
    },
    async finish(_, { payment, receipt }) {
      if (!payment) throw new Error('a toy payment is missing from its charge');
      const { captured, paymentId } = payment;
      const outcome = await bank.take(paymentId, { payer: receipt.payer, amount: captured });
      if (outcome === 'slow') {
        throw new AutoPayError('settlement_pending', 'The bank is slow. Send the same payment again.');
      }
      if (outcome === 'broke') {
        await ledger.losePayment({ paymentId, reason: 'no balance' });
        throw new AutoPayError('settlement_failed', 'There is no balance. Fill it up.');
      }
      const stored = await ledger.getPayment(paymentId);
      if (stored?.state !== 'settled') await ledger.settlePayment({ paymentId, transactionHash: paymentId });
      return { headers: { 'toy-receipt': String(captured) }, events: `event: toy-receipt\ndata: ${captured}\n\n` };
    },
  };
}
