import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { createPayFetch } from '../pay-fetch.ts';
import { openReceiptStore } from '../receipt-store.ts';
import { startChainDouble } from '../testing/chain-double.ts';
import { startRelayDouble, type RelayDouble } from '../testing/relay-double.ts';
import { seedWallet, walletKey } from '../testing/seed-wallet.ts';
import { signReceipts } from '../testing/sign-receipts.ts';

// What goes wrong between an honest relay and a wallet, and must not look like fraud. The relay is a double.
let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let warnings: string[];

beforeEach(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  warnings = [];
});
afterEach(async () => {
  await double.close();
  await seeded.remove();
});

/** A client of a wallet that begins anew, on the same folder. */
function openClient(send: typeof fetch = fetch, chain: { rpcUrl?: string } = {}): OpenAI {
  const onWarning = (message: string) => void warnings.push(message);
  const wallet = { relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, onWarning, fetch: send };
  return new OpenAI({
    fetch: createPayFetch({ ...wallet, ...chain }),
    baseURL: `${double.url}/v1`,
    apiKey: 'unused',
    maxRetries: 0,
  });
}

const question = { model: 'paid', messages: [{ role: 'user' as const, content: 'hi' }] };
const ask = (client: OpenAI) => client.chat.completions.create(question);

/** Nobody is accused: no evidence was written, and no warning speaks of any. */
async function requireNoAccusation(): Promise<void> {
  expect(warnings.join('\n')).not.toMatch(/held to a fault|could not be judged/);
  await expect(readdir(join(seeded.stateDir, 'evidence'))).rejects.toThrow('ENOENT');
}

describe('nobody is accused', () => {
  it('where parallel calls return in any order, in two wallets of one folder, and after a restart', async () => {
    const [one, other] = [openClient(), openClient()];
    await Promise.all([one, other, one, other, one].map((client) => ask(client)));
    await Promise.all([openClient(), openClient()].map((client) => ask(client)));
    await requireNoAccusation();
  });

  it('where streams break off, and their receipts never come', async () => {
    const client = openClient();
    await ask(client);
    double.mischief.cutStream = true;
    const read = async () => {
      const stream = await client.chat.completions.create({ ...question, stream: true });
      for await (const chunk of stream) void chunk;
    };
    await expect(read()).rejects.toThrow();
    delete double.mischief.cutStream;
    await ask(client);
    expect(warnings.join()).toContain('was cut before its receipt came');
    await requireNoAccusation();
  });

  it('where answers are lost and come again with the same receipt', async () => {
    const client = openClient();
    await ask(client);
    double.mischief.lostAnswers = 2;
    await ask(client);
    await client.chat.completions.create(question, { headers: { 'idempotency-key': 'twice' } });
    await client.chat.completions.create(question, { headers: { 'idempotency-key': 'twice' } });
    await ask(client);
    await requireNoAccusation();
  });

  it('where calls fail, before and after one that was paid', async () => {
    const client = openClient();
    double.mischief.refuseVouchers = true;
    await expect(ask(client)).rejects.toThrow();
    delete double.mischief.refuseVouchers;
    await ask(client);
    double.mischief.omitReceipt = true;
    await ask(client);
    delete double.mischief.omitReceipt;
    await ask(client);
    await requireNoAccusation();
  });

  it('where another model answers since the list of models was read', async () => {
    let fallbacks: string[] = [];
    const client = openClient(async (input, init) => {
      const response = await fetch(input, init);
      if (input !== `${double.url}/v1/models`) return response;
      const list = (await response.json()) as { data: object[] };
      return Response.json({ ...list, data: list.data.map((model) => ({ ...model, answered_by: fallbacks })) });
    });
    await ask(client);
    fallbacks = ['free'];
    double.mischief.changeReceipt = (receipt) => {
      return { ...receipt, modelAsked: 'free', amount: 0n, runningTotal: receipt.runningTotal - receipt.amount };
    };
    await ask(client);
    expect(warnings).toEqual([]);
    await requireNoAccusation();
  });

  it('where the relay cannot list its prices when the receipt comes: the wallet still takes it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    let isAnswered = false;
    const client = openClient(async (input, init) => {
      if (isAnswered && input === `${double.url}/v1/models`) return new Response('', { status: 500 });
      const response = await fetch(input, init);
      if (!response.headers.has('x-autopay-receipt')) return response;
      // It took longer than the wallet takes a price list as current.
      isAnswered = true;
      vi.setSystemTime(Date.now() + 61_000);
      return response;
    });
    await ask(client);
    expect(warnings).toEqual([]);
    expect(await openReceiptStore(seeded.stateDir).list()).toMatchObject([{ problems: [] }]);
  });

  it('where the clocks differ: the owner is warned, and that is all', async () => {
    double.mischief.signedAtMs = Date.now() + 300_000;
    await ask(openClient());
    expect(warnings.join()).toContain('and not when it came');
    await requireNoAccusation();
  });
});

it('keeps no answer back where the chain hangs, though a receipt does not fit', async () => {
  const chain = await startChainDouble();
  onTestFinished(() => chain.close());
  const client = openClient(fetch, { rpcUrl: chain.rpcUrl });
  await ask(client);
  chain.hang();
  // Another table, of which the chain has to be asked, and more than it costs by that.
  double.mischief.priceFactor = 2n;
  double.mischief.changeReceipt = (receipt) => ({ ...receipt, usage: { ...receipt.usage, prompt: 1, completion: 1 } });
  const startedAt = performance.now();
  for (let call = 0; call < 3; call += 1) await ask(client);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  expect(warnings.join()).toContain('above price times usage');
  expect(warnings.join()).toContain('could not be asked for the price table');
});

it('is evidence where an answer comes again with another receipt', async () => {
  const client = openClient(async (input, init) => {
    const response = await fetch(input, init);
    const receipt = response.headers.get('x-autopay-receipt');
    if (receipt === null || response.headers.get('idempotent-replayed') !== 'true') return response;
    const first = decodeReceipt(decodeSignedReceipt(receipt).entry);
    // The double's own key signs it.
    const [other] = signReceipts([{ ...first, amount: first.amount + 1n, runningTotal: first.runningTotal + 1n }]);
    const headers = new Headers(response.headers);
    headers.set('x-autopay-receipt', other?.receipt ?? '');
    return new Response(response.body, { status: response.status, headers });
  });
  await client.chat.completions.create(question, { headers: { 'idempotency-key': 'twice' } });
  expect(warnings).toEqual([]);
  await client.chat.completions.create(question, { headers: { 'idempotency-key': 'twice' } });
  expect(warnings.join()).toContain('of the channel has two receipts');
  const written = await readdir(join(seeded.stateDir, 'evidence'));
  expect(written.join()).toContain('duplicate-sequence-');
});
