import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { createTestClient, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAutopay } from '../../cli/testing/start-cli-stack.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { usesAnvil } from '../support/start-chain.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// The command line and payFetch against the real relay, contracts and chain. The steps build on each other.
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterAll(() => stack.stop());

async function autopay(...args: string[]) {
  const { code, stdout } = await runAutopay([...args, '--json', '--data-dir', stack.stack.dataDir]);
  return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}

const deposit = async () =>
  ((await autopay('channel', 'status')).json['channel'] as { deposit: string } | null)?.deposit;

describe('the owner’s commands', { timeout: 120_000 }, () => {
  it('set limits, within which a channel is topped up by itself', async () => {
    const set = await autopay('limits', 'set', '--per-deposit', '1', '--per-day', '3');
    expect(set).toMatchObject({ code: 0, json: { limits: { perDeposit: '1', perDay: '3' } } });
    expect(await autopay('channel', 'open', '--deposit', '1.5')).toMatchObject({
      code: 1,
      json: { error: { code: 'wallet_limit_exceeded' } },
    });
    expect((await autopay('channel', 'open', '--deposit', '0.00005')).json).toMatchObject({ opened: true });
    const call = await autopay('call', 'hi', '--model', 'sim-small', '--max-tokens', '300');
    expect(call).toMatchObject({ code: 0, json: { isVerified: true } });
    expect(await deposit()).toBe('1000050');
    const { json } = await autopay('limits');
    expect(json).toMatchObject({
      limits: { perCall: null, perDay: '3000000', perDeposit: '1000000' },
      spentToday: call.json['charge'],
    });
    const wallet = (await (await fetch(`${stack.sidecarUrl}/wallet`)).json()) as object;
    expect(wallet).toMatchObject({ channel: { deposit: '1000050' }, spentToday: call.json['charge'] });
  });

  it('top the channel up when asked, not without leave, and not above the limit', async () => {
    expect((await autopay('channel', 'topup', '0.5')).code).toBe(2);
    expect(await autopay('channel', 'topup', '1.000001', '--yes')).toMatchObject({
      code: 1,
      json: { error: { code: 'wallet_limit_exceeded' } },
    });
    expect((await autopay('channel', 'topup', '0.5', '--yes')).json).toMatchObject({ added: '500000' });
    expect(await deposit()).toBe('1500050');
  });

  it('make, list and delete API keys', async () => {
    const login = await autopay('login');
    expect(login).toMatchObject({ code: 0, json: { payer: stack.stack.wallet.address } });
    expect((await stat(join(stack.stack.dataDir, 'client', 'session.json'))).mode & 0o777).toBe(0o600);
    expect(await autopay('keys', 'create')).toMatchObject({
      code: 1,
      json: { error: { code: 'insufficient_headroom' } },
    });
    expect((await autopay('keys', 'fund', '0.2')).code).toBe(2);
    expect((await autopay('keys', 'fund', '0.2', '--yes')).json).toMatchObject({ signed: '200000' });
    expect((await autopay('keys', 'fund', '0.1', '--yes')).json).toMatchObject({ added: '100000', signed: '300000' });
    // The wallet's own calls go on from its own channel.
    expect(await deposit()).toBe('1500050');
    const { json: made } = await autopay('keys', 'create', '--name', 'app', '--budget', '0.5', '--period', '1d');
    expect(made).toMatchObject({ name: 'app', budget: '500000', budget_duration: '1d' });
    expect(made['key']).toMatch(/^ap_sk_/);
    const list = await autopay('keys', 'list');
    expect(list.json).toMatchObject({ data: [{ id: made['id'], name: 'app', spent: '0' }] });
    const client = new OpenAI({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey: String(made['key']) });
    await client.chat.completions.create({ model: 'sim-small', messages: [{ role: 'user', content: 'hi' }] });
    expect(JSON.stringify(list.json)).not.toContain(made['key']);
    expect((await autopay('keys', 'delete', String(made['id']))).code).toBe(2);
    expect(await autopay('keys', 'delete', String(made['id']), '--yes')).toMatchObject({ json: { deleted: true } });
    expect((await autopay('keys', 'list')).json).toMatchObject({ data: [] });
    const closed = (await autopay('channel', 'close', '--keys', '--yes')).json as { spent: string; returned: string };
    expect(BigInt(closed.spent)).toBeGreaterThan(0n);
    expect(BigInt(closed.spent) + BigInt(closed.returned)).toBe(300_000n);
  });
});

describe('a lost answer of the real relay', { timeout: 120_000 }, () => {
  it.each([false, true])('is paid once (stream: %s)', async (stream) => {
    let lost = 0;
    const lossy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!new Headers(init?.headers).has('authorization') || lost > 0) return response;
      lost += 1;
      // The relay has served and charged it: the whole answer was there.
      await response.text();
      throw new TypeError('fetch failed');
    };
    const warnings: string[] = [];
    const receipts: { sequence: number; problems: string[] }[] = [];
    const pay = createPayFetch({
      ...{ ...stack.payFetchOptions, stateDir: join(stack.stack.dataDir, 'client') },
      fetch: lossy,
      onWarning: (message) => warnings.push(message),
      onReceipt: (receipt) => receipts.push(receipt),
    });
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ model: 'sim-small', stream, messages: [{ role: 'user', content: 'hi' }] });
    const response = await pay(`${stack.stack.relayUrl}/v1/chat/completions`, { method: 'POST', headers, body });
    await response.text();
    expect([response.status, response.headers.get('idempotent-replayed'), lost]).toEqual([200, 'true', 1]);
    expect(receipts.map(({ problems }) => problems)).toEqual([[]]);
    expect(receipts[0]?.sequence).toBe(stream ? 3 : 2);
    expect(warnings).toEqual([]);
  });
});

describe('the end of a channel', { timeout: 120_000 }, () => {
  it('comes through the relay at once, and the rest comes back', async () => {
    const closed = await autopay('channel', 'close', '--yes');
    expect(closed.code).toBe(0);
    const { spent, returned } = closed.json as { spent: string; returned: string };
    expect(BigInt(spent) + BigInt(returned)).toBe(1_500_050n);
    expect((await autopay('channel', 'status')).json).toEqual({ channel: null });
  });

  it.skipIf(usesAnvil)('comes without the relay after the grace period', async () => {
    expect((await autopay('channel', 'open', '--deposit', '0.25')).json).toMatchObject({ opened: true });
    expect((await autopay('channel', 'close', '--on-chain', '--yes')).json).toMatchObject({ closing: true });
    expect(await autopay('channel', 'withdraw', '--yes')).toMatchObject({
      code: 1,
      json: { error: { code: 'transaction_failed' } },
    });
    const chain = createTestClient({ mode: 'hardhat', transport: http(stack.stack.rpcUrl) });
    await chain.increaseTime({ seconds: 3_601 });
    await chain.mine({ blocks: 1 });
    expect((await autopay('channel', 'withdraw', '--yes')).json).toMatchObject({ withdrawn: [{ amount: '250000' }] });
    expect((await autopay('channel', 'withdraw', '--yes')).json).toEqual({ withdrawn: [] });
  });
});
