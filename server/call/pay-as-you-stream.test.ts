import { beforeEach, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import { quoteOfBounds } from '../../protocol/pricing/token-prices.ts';
import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import type { ExtendOutcome, ExtendRequest } from '../ledger/channel-ledger.ts';
import type { ChannelState, ReserveRefusal } from '../ledger/ledger.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import type { Quote } from '../metering/quote-call.ts';
import { PayAsYouStream, VoucherMissing } from './pay-as-you-stream.ts';

/** One atomic unit per token. */
const prices = plainPrices(1_000_000n);
const sale = { token: '0x', prices, conversion: null, oracleRound: 0n } as unknown as SaleTerms;
const bounds = { promptTokens: 100, choices: 1, outputTokens: 1_000 };
const quote: Quote = { ...bounds, amount: quoteOfBounds(bounds, sale), shrunk: false };
const budget = { day: 1, limitAgpt: 1n, rate: 1n };
const scopes = [{ id: 'payer:0x01', window: 0, limit: 9_999n, endsAtSeconds: null }];
const texts = (tokens: number) => ({ texts: ['abc'.repeat(tokens)] });

let signed: bigint;
let held: bigint;
let asked: bigint[];
let written: string[];
let refusal: ReserveRefusal['code'];
let watch: { write: (bytes: Uint8Array) => Promise<void>; clientGone: boolean; signal: AbortSignal };
beforeEach(() => {
  held = 110n;
  signed = 150n;
  asked = [];
  written = [];
  refusal = 'insufficient_headroom';
  watch = {
    write: (bytes) => Promise.resolve(void written.push(Buffer.from(bytes).toString())),
    clientGone: false,
    signal: new AbortController().signal,
  };
});

/** A channel that nothing else is charged to. */
function extend({ quote: wanted, ...terms }: ExtendRequest): Promise<ExtendOutcome> {
  expect(terms).toEqual({ callId: 'a call', budget, scopes });
  asked.push(wanted);
  if (wanted <= signed) {
    held = wanted;
    return Promise.resolve({ ok: true });
  }
  const channel = { channelId: '0xc0', charged: 0n, reserved: held, acceptedCumulative: signed, deposit: 9_999n };
  const told = { code: refusal, channel: channel as unknown as ChannelState, requiredCumulative: 0n };
  return Promise.resolve({ ok: false, refusal: told });
}

function pay(waitMs = 2_000): PayAsYouStream {
  const terms = { outputTokens: 20, waitMs, unpaid: new Set<Hex>(), extend };
  return new PayAsYouStream({ callId: 'a call', terms, first: { held, budget, scopes }, quote, sale, watch });
}

describe('a stream that is paid for as it comes', () => {
  it('is covered a slice ahead, without asking as long as that lasts', async () => {
    const paying = pay();
    const seen = texts(10);
    await paying.cover(seen);
    expect(asked).toEqual([]);
    seen.texts.push('abc');
    await paying.cover(seen);
    expect(asked).toEqual([131n]);
    seen.texts.push('abc'.repeat(20));
    await paying.cover(seen);
    expect([asked, written]).toEqual([[131n], []]);
  });

  it('takes what is there, where that is less than a slice', async () => {
    signed = 125n;
    await pay().cover(texts(20));
    expect(asked).toEqual([140n, 140n, 120n]);
    expect([held, written]).toEqual([120n, []]);
  });

  it('stops at the end of the vouchers, says once what the next has to be, and goes on with it', async () => {
    const paying = pay();
    const covered = paying.cover(texts(100));
    await expect.poll(() => written).toHaveLength(1);
    expect(written[0]).toMatch(/^event: payment-need-voucher\ndata: \{.*\}\n\n$/);
    expect(JSON.parse(written[0]?.split('data: ')[1] ?? '')).toEqual({
      ...{ channelId: '0xc0', requiredCumulative: '220', acceptedCumulative: '150', deposit: '9999' },
    });
    signed = 220n;
    await covered;
    expect([held, written.length]).toEqual([220n, 1]);
  });

  it('never holds more than the whole quote, nor less than the answer cost', async () => {
    signed = 5_000n;
    const paying = pay();
    await paying.cover(texts(990));
    expect(held).toBe(quote.amount);
    held = 110n;
    const usage = { prompt: 90, completion: 30 } as TokenUsage;
    await pay().settle({
      texts: [],
      usage: { ...usage, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 },
    });
    expect(held).toBe(120n);
  });

  it.each<[string, () => void]>([
    ['no voucher comes', () => undefined],
    ['the client goes', () => (watch.clientGone = true)],
    ['the model’s budget is spent', () => (refusal = 'model_budget_exceeded')],
    ['the call is given up', () => (watch.signal = AbortSignal.abort())],
  ])('ends where %s', async (_, happens) => {
    happens();
    await expect(pay(250).cover(texts(100))).rejects.toBeInstanceOf(VoucherMissing);
    expect(held).toBe(110n);
  });
});
