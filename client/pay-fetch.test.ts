import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI, { APIError } from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPayFetch } from './pay-fetch.ts';
import type { WalletOptions } from './open-wallet.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { startChainDouble } from './testing/chain-double.ts';
import { doubleCharge, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seededChannelId, seedWallet, walletKey } from './testing/seed-wallet.ts';

// The relay is a double (testing/relay-double.ts); the OpenAI client is the real, unmodified one.
let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let warnings: string[];
let receipts: StoredReceipt[];

beforeEach(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  warnings = [];
  receipts = [];
});
afterEach(async () => {
  await double.close();
  await seeded.remove();
});

function walletOptions(more: Partial<WalletOptions> = {}): WalletOptions {
  return {
    relayUrl: double.url,
    privateKey: walletKey,
    stateDir: seeded.stateDir,
    onWarning: (message) => warnings.push(message),
    onReceipt: (receipt) => receipts.push(receipt),
    ...more,
  };
}

function openai(more: Partial<WalletOptions> = {}): OpenAI {
  return new OpenAI({ fetch: createPayFetch(walletOptions(more)), baseURL: `${double.url}/v1`, apiKey: 'unused' });
}

const question = { messages: [{ role: 'user' as const, content: 'hi' }] };
const savedState = async () =>
  JSON.parse(await readFile(join(seeded.stateDir, 'channels.json'), 'utf8')) as { channels: Record<string, unknown>[] };
const books = () => double.books.get(seededChannelId)!;

describe('payFetch under the openai client', () => {
  it('pays a JSON call, checks its receipt and keeps it', async () => {
    const answer = await openai().chat.completions.create({ model: 'paid', ...question });
    expect(answer.choices[0]?.message.content).toBe('hello');
    expect(warnings).toEqual([]);
    expect(receipts).toHaveLength(1);
    expect(receipts[0]).toMatchObject({ amount: String(doubleCharge), sequence: 1, problems: [] });
    const file = join(seeded.stateDir, 'receipts.jsonl');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(receipts[0]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await savedState()).channels[0]).toMatchObject({ spent: String(doubleCharge), sequence: 1 });
    expect(double.authorizations.map((value) => value.split(' ')[0])).toEqual(['', 'Payment']);
  });

  it('pays a streamed call, hides the named event and keeps the receipt comment out of the way', async () => {
    const stream = await openai().chat.completions.create({ model: 'paid', stream: true, ...question });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('héllo wörld');
    expect(warnings).toEqual([]);
    expect(receipts).toHaveLength(1);
  });

  it('passes the first event on while the stream is still open', async () => {
    double.mischief.delayMs = 400;
    const stream = await openai().chat.completions.create({ model: 'paid', stream: true, ...question });
    const startedAt = performance.now();
    const times: number[] = [];
    for await (const chunk of stream) if (chunk.choices[0]) times.push(performance.now() - startedAt);
    expect(times[0]).toBeLessThan(200);
    expect(times.at(-1)).toBeGreaterThan(300);
  });

  it('signs one voucher per parallel call, each different, and never more than the quotes', async () => {
    const client = openai();
    await Promise.all(Array.from({ length: 30 }, () => client.chat.completions.create({ model: 'paid', ...question })));
    expect(double.refused()).toBe(0);
    expect(books().used.size).toBe(30);
    expect(books().charged).toBe(30n * doubleCharge);
    expect(receipts.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    expect(warnings).toEqual([]);
    expect((await savedState()).channels[0]).toMatchObject({ spent: String(30n * doubleCharge), sequence: 30 });
  });

  it('shares a state folder with another wallet', async () => {
    const clients = [openai(), openai()];
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(clients.map((client) => client.chat.completions.create({ model: 'paid', ...question })));
    }
    expect(books().sequence).toBe(6);
    expect(warnings).toEqual([]);
  });

  it('has the voucher on disk before it leaves', async () => {
    let savedAtSend = '';
    const spy: typeof fetch = async (input, init) => {
      if (new Headers(init?.headers).has('authorization'))
        savedAtSend = String((await savedState()).channels[0]?.['lastSigned']);
      return fetch(input, init);
    };
    await openai({ fetch: spy }).chat.completions.create({ model: 'paid', ...question });
    expect(savedAtSend).toBe(String(books().accepted));
    expect(books().accepted).toBeGreaterThan(0n);
  });

  it('pays nothing for a free model, and checks its receipt all the same', async () => {
    await openai().chat.completions.create({ model: 'free', ...question });
    expect(double.authorizations).toEqual(['']);
    expect(receipts[0]).toMatchObject({ amount: '0', problems: [] });
  });

  it('asks for the challenge with a short request where the body is long', async () => {
    const content = 'x'.repeat(300_000);
    const messages = [{ role: 'user' as const, content }];
    await openai().chat.completions.create({ model: 'paid', messages });
    expect(double.bodyLengths.map((length) => length > 300_000)).toEqual([false, true]);
    expect(double.authorizations.map((value) => value.split(' ')[0])).toEqual(['', 'Payment']);
    expect([receipts.length, warnings]).toEqual([1, []]);
  });

  it("hands the relay's own errors on", async () => {
    const error = await openai()
      .chat.completions.create({ model: 'none', ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found' });
  });
});

describe('limits of the owner', () => {
  it('refuse a dear call before anything is sent, without retries', async () => {
    const error = await openai({ maxCallAmount: 100n })
      .chat.completions.create({ model: 'paid', max_tokens: 900, ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'spending_limit_reached' });
    expect(double.authorizations).toEqual([]);
  });

  it('let the relay shrink a call that has no limit of its own', async () => {
    const sent: bigint[] = [];
    const spy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      sent.push(BigInt(String((await savedState()).channels[0]?.['lastSigned'])));
      return response;
    };
    await openai({ maxCallAmount: 800n, fetch: spy })
      .chat.completions.create({ model: 'paid', ...question })
      .catch(() => undefined);
    expect(sent.at(-1)).toBe(800n);
  });

  it("surface the relay's refusal where only a larger raise would mend it", async () => {
    books().charged = 5_000n;
    books().accepted = 5_000n;
    const saved = await savedState();
    saved.channels[0] = { ...saved.channels[0], recovered: true };
    await writeFile(join(seeded.stateDir, 'channels.json'), JSON.stringify(saved));
    const error = await openai({ maxCallAmount: 3_000n })
      .chat.completions.create({ model: 'paid', ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'insufficient_headroom' });
    expect(warnings.join()).toContain('limit for one call');
    expect(BigInt(String((await savedState()).channels[0]?.['lastSigned']))).toBeLessThanOrEqual(3_000n);
  });

  it('end with the deposit', async () => {
    await seeded.remove();
    seeded = await seedWallet(double, { deposit: 300n });
    const error = await openai()
      .chat.completions.create({ model: 'paid', max_tokens: 500, ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'amount_exceeds_deposit' });
    expect(books().accepted).toBe(0n);
  });
});

describe('what a wallet mends by itself', () => {
  it('takes a fresh challenge when the old one no longer counts', async () => {
    const client = openai();
    await client.chat.completions.create({ model: 'paid', ...question });
    double.rotateChallenge();
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(double.refused()).toBe(1);
    expect(books().sequence).toBe(2);
  });

  it('signs again what the relay needs after its state was lost', async () => {
    Object.assign(books(), { charged: 40_000n, accepted: 40_000n, sequence: 7 });
    const saved = await savedState();
    saved.channels[0] = { ...saved.channels[0], recovered: true };
    await writeFile(join(seeded.stateDir, 'channels.json'), JSON.stringify(saved));
    const client = openai();
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(double.refused()).toBe(1);
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(double.refused()).toBe(1);
    expect(books().charged).toBe(40_000n + 2n * doubleCharge);
  });

  it('signs nothing more for a relay that claims to have spent more than was ever signed', async () => {
    Object.assign(books(), { charged: 40_000n, accepted: 40_000n });
    const error = await openai()
      .chat.completions.create({ model: 'paid', ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'insufficient_headroom' });
    expect(warnings.join()).toContain('more than the');
    expect(BigInt(String((await savedState()).channels[0]?.['lastSigned']))).toBeLessThan(3_000n);
  });

  it('pays raised prices once they are published', async () => {
    const client = openai();
    await client.chat.completions.create({ model: 'paid', max_tokens: 100, ...question });
    double.mischief.priceFactor = 10n;
    await client.chat.completions.create({ model: 'paid', max_tokens: 100, ...question });
    expect(double.refused()).toBe(1);
    expect(books().sequence).toBe(2);
    expect(warnings.join()).toContain('The prices of paid have risen');
    // The first call's charge, and the second call's quote at the new prices: byte for byte what the relay reckons.
    expect(books().accepted).toBe(doubleCharge + 10n * (BigInt(double.bodyLengths.at(-1)! + 64) + 200n));
  });

  it('goes on after a stream that was given up or cut', async () => {
    const client = openai();
    const controller = new AbortController();
    double.mischief.delayMs = 300;
    const stream = await client.chat.completions.create(
      { model: 'paid', stream: true, ...question },
      { signal: controller.signal },
    );
    for await (const chunk of stream) if (chunk.id) controller.abort();
    delete double.mischief.delayMs;
    double.mischief.cutStream = true;
    const cut = await client.chat.completions.create({ model: 'paid', stream: true, ...question });
    await expect(
      (async () => {
        for await (const chunk of cut) void chunk;
      })(),
    ).rejects.toThrow();
    delete double.mischief.cutStream;
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(receipts).toHaveLength(1);
  });

  it('takes the receipts for the truth where its state was lost, within the limits', async () => {
    Object.assign(books(), { charged: 40_000n, accepted: 45_000n, sequence: 7 });
    const saved = await savedState();
    saved.channels[0] = { ...saved.channels[0], recovered: true };
    await writeFile(join(seeded.stateDir, 'channels.json'), JSON.stringify(saved));
    await openai({ maxCallAmount: 10_000n }).chat.completions.create({ model: 'paid', ...question });
    expect(warnings.join()).toContain('is above what was signed');
    expect((await savedState()).channels[0]).toMatchObject({ spent: '0', recovered: true });
    await openai().chat.completions.create({ model: 'paid', ...question });
    expect((await savedState()).channels[0]).toMatchObject({ spent: '40040', recovered: false });
  });

  it('uses lower vouchers once the whole deposit is signed', async () => {
    await seeded.remove();
    seeded = await seedWallet(double, { deposit: 2_000n });
    const client = openai();
    // Without a limit the relay shrinks the call to the headroom, which is then the whole deposit.
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(books().accepted).toBe(2_000n);
    for (let call = 0; call < 5; call += 1) {
      await client.chat.completions.create({ model: 'paid', max_tokens: 50, ...question });
    }
    expect([...books().used].map(Number)).toEqual([2_000, 1_999, 1_998, 1_997, 1_996, 1_995]);
    expect(books().sequence).toBe(6);
    expect(warnings).toEqual([]);
  });
});

it('takes a receipt for a model that the request names as a fallback', async () => {
  double.mischief.changeReceipt = (receipt) => {
    return { ...receipt, modelAsked: 'free', amount: 0n, runningTotal: receipt.runningTotal - receipt.amount };
  };
  const body = { model: 'paid', ...question, fallback_models: ['free'] };
  await openai().chat.completions.create(body);
  expect(warnings).toEqual([]);
  expect(receipts).toMatchObject([{ model: 'free', amount: '0', problems: [] }]);
});

describe('a relay that does not keep its word', () => {
  const dishonest: [string, Partial<RelayDouble['mischief']>, string][] = [
    [
      'charges above price times usage',
      { changeReceipt: (receipt) => ({ ...receipt, usage: { ...receipt.usage, prompt: 1 } }) },
      'above price times usage',
    ],
    [
      'names another call',
      { changeReceipt: (receipt) => ({ ...receipt, callId: '01890000-0000-7000-8000-000000000000' }) },
      'it is for call',
    ],
    [
      'commits to another answer',
      { changeReceipt: (receipt) => ({ ...receipt, responseCommitment: receipt.requestCommitment }) },
      'another answer',
    ],
    [
      'commits to another request',
      { changeReceipt: (receipt) => ({ ...receipt, requestCommitment: receipt.responseCommitment }) },
      'another request',
    ],
    [
      'sells another model than was asked for, or than it lists as answering',
      { changeReceipt: (receipt) => ({ ...receipt, modelAsked: 'free' }) },
      'it is for model free',
    ],
    ['signs with another key', { signWith: Buffer.alloc(32, 0x33) }, 'not by the relay'],
    ['gives no receipt', { omitReceipt: true }, 'without a receipt'],
    [
      'chooses a time of better prices',
      { changeReceipt: (receipt) => ({ ...receipt, admittedAtMs: receipt.admittedAtMs - 120_000 }) },
      'and not when it was made',
    ],
    [
      'chooses a time to come',
      { changeReceipt: (receipt) => ({ ...receipt, admittedAtMs: receipt.admittedAtMs + 120_000 }) },
      'and not when it was made',
    ],
    ['dates its signature back', { signedAtMs: 1_000 }, 'it was signed at 1970-01-01T00:00:01.000Z'],
    ['dates its signature ahead', { signedAtMs: 8_640_000_000_000_001 }, 'it was signed at 8640000000000001 ms'],
  ];

  it.each(dishonest)('is noticed when it %s', async (_name, mischief, warning) => {
    Object.assign(double.mischief, mischief);
    const client = openai();
    const answer = await client.chat.completions.create({ model: 'paid', ...question });
    expect(answer.choices).toHaveLength(1);
    expect(warnings.join('\n')).toContain(warning);
    warnings.length = 0;
    const stream = await client.chat.completions.create({ model: 'paid', stream: true, ...question });
    for await (const chunk of stream) void chunk;
    expect(warnings.join('\n')).toContain(warning);
    expect((await savedState()).channels[0]).toMatchObject({ spent: '0' });
  });

  it('is noticed when the chain does not have its price table in force', async () => {
    const chain = await startChainDouble();
    try {
      const client = openai({ rpcUrl: chain.rpcUrl });
      await client.chat.completions.create({ model: 'paid', ...question });
      expect(warnings).toEqual([]);
      double.mischief.priceFactor = 2n;
      chain.answers.set('isInForce(bytes32,uint64)', 0);
      await client.chat.completions.create({ model: 'paid', ...question });
      expect(warnings.join()).toContain('PriceBook did not have its price table');
      expect(receipts.at(-1)?.problems).toEqual([expect.stringContaining('PriceBook')]);
      expect((await savedState()).channels[0]).toMatchObject({ sequence: 1 });
    } finally {
      await chain.close();
    }
  });

  it('is noticed when running totals do not join', async () => {
    const client = openai();
    await client.chat.completions.create({ model: 'paid', ...question });
    double.mischief.changeReceipt = (receipt) => ({ ...receipt, runningTotal: receipt.runningTotal + 1n });
    await client.chat.completions.create({ model: 'paid', ...question });
    expect(warnings.join()).toContain('does not follow from receipt 1');
    expect((await savedState()).channels[0]).toMatchObject({ sequence: 1 });
  });

  it.each([
    ['quotes the whole deposit', { quote: '999000', requiredCumulative: '999999' }],
    ['quotes the whole deposit and claims nothing', { quote: '1000000' }],
    ['only asks for it', { requiredCumulative: '1000000' }],
    ['claims to have accepted it', { acceptedCumulative: '999999' }],
  ])('gets no voucher for more than the published price when it %s', async (_name, lies) => {
    double.mischief.refuseVouchers = true;
    double.mischief.changeFacts = (facts) => ({ ...facts, ...lies });
    const error = await openai()
      .chat.completions.create({ model: 'paid', max_tokens: 100, ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'insufficient_headroom' });
    const quote = BigInt(double.bodyLengths.at(-1)! + 64) + 200n;
    expect(BigInt(String((await savedState()).channels[0]?.['lastSigned']))).toBeLessThanOrEqual(2n * quote);
  });

  it('gets no voucher when it names another escrow than before', async () => {
    double.mischief.escrow = `0x${'66'.repeat(20)}`;
    const error = await openai()
      .chat.completions.create({ model: 'paid', ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'challenge_invalid' });
    expect(double.authorizations).toEqual([]);
  });

  it.each([
    ['price oracle', { contracts: { priceOracle: `0x${'66'.repeat(20)}` } }],
    ['price book', { contracts: { priceBook: `0x${'66'.repeat(20)}` } }],
    ['key registry', { contracts: { keyRegistry: `0x${'66'.repeat(20)}` } }],
    ['number of decimals', { decimals: 18 }],
  ] as const)('gets no voucher when it names another %s than with the first channel', async (what, mischief) => {
    Object.assign(double.mischief, mischief);
    const error = await openai()
      .chat.completions.create({ model: 'paid', ...question })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 402, code: 'challenge_invalid' });
    expect(String(error)).toContain(`another ${what}`);
    expect(double.authorizations).toEqual([]);
  });

  it('gets nothing when it is not the relay that the wallet pays', async () => {
    const payFetch = createPayFetch(walletOptions());
    await expect(
      payFetch('http://127.0.0.1:9/v1/chat/completions', { method: 'POST', body: '{}' }),
    ).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
