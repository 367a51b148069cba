import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublicClient, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { advanceTime, catchUpWithClock } from '../../scripts/demo/move-time.ts';
import { runJob } from '../../scripts/demo/run-job.ts';
import { startStack, type RunningStack } from '../../scripts/stack.ts';
import { startChain, usesAnvil, type LocalChain } from '../support/start-chain.ts';

const root = join(import.meta.dirname, '../..');
const DAY_MS = 86_400_000;
/** Local governance: see ignition/parameters/local.json. */
const VOTING_SECONDS = 61;
const TIMELOCK_SECONDS = 8_001;
/** Longer than the relay's interval of reading the chain. */
const RELAY_NOTICE_MS = 5_000;

let folder: string;
let anvil: LocalChain | undefined;
let running: RunningStack;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-governance-'));
  // Days go by on the chain before its time meets the clock's.
  const start = new Date(Date.now() - 3 * DAY_MS);
  anvil = usesAnvil ? await startChain({ start }) : undefined;
  running = await startStack({
    dataDir: join(folder, 'stack'),
    config: { collection: { intervalSeconds: 600 }, audit: { intervalSeconds: 600 } },
    ...(anvil ? { rpcUrl: anvil.rpcUrl } : { chainStart: start }),
  });
}, 180_000);
afterAll(async () => {
  await running.stop();
  await anvil?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs `autopay … --json` against the stack; what it printed, parsed. Commands that sign are given leave. */
async function autopay(...args: string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
  const { AUTOPAY_WALLET_KEY: _, AUTOPAY_WALLET_FILE: __, AUTOPAY_WALLET_PASSWORD: ___, ...env } = process.env;
  const isSigning = ['gov', 'dispute'].includes(args[0] ?? '') && args[1] !== 'status';
  const common = ['--json', ...(isSigning ? ['--yes'] : []), '--data-dir', running.stack.dataDir];
  const cli = [join(root, 'cli', 'main.ts'), ...args, ...common];
  const child = spawn(process.execPath, cli, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}

/** Runs a command and requires that it ends with 0. */
async function succeed(...args: string[]): Promise<Record<string, unknown>> {
  const { code, json } = await autopay(...args);
  if (code !== 0) throw new Error(`autopay ${args.join(' ')}: ${JSON.stringify(json)}`);
  return json;
}

/** Votes for the last proposal, queues and executes it; each by its command. */
async function passLast(): Promise<void> {
  const { rpcUrl } = running.stack;
  await advanceTime(rpcUrl, 2);
  expect(await succeed('gov', 'vote', 'last', 'for')).toMatchObject({ state: 'active' });
  await advanceTime(rpcUrl, VOTING_SECONDS);
  expect(await succeed('gov', 'queue', 'last')).toMatchObject({ state: 'queued' });
  await advanceTime(rpcUrl, TIMELOCK_SECONDS);
  expect(await succeed('gov', 'execute', 'last')).toMatchObject({ state: 'executed' });
}

describe('a budget by vote, from the command line', { timeout: 300_000 }, () => {
  it('needs delegated votes', async () => {
    const { code, json } = await autopay('gov', 'propose', 'set-budget', 'sim-small', '0.015');
    expect([code, json]).toMatchObject([1, { error: { message: expect.stringContaining('autopay gov delegate') } }]);
    const { votes, balance } = await succeed('gov', 'delegate');
    expect(votes).toBe(balance);
  });

  it('is refused before signing if it would fail', async () => {
    const unknown = `0x${'11'.repeat(32)}`;
    const { code, json } = await autopay('gov', 'propose', 'retire-price', unknown);
    expect([code, json]).toMatchObject([
      1,
      { error: { message: expect.stringContaining(`PriceBook_Unknown(root: ${unknown})`) } },
    ]);
    // The relay's table is published with the deployment; its configuration has the same.
    for (const given of [[], ['--config', join(running.stack.dataDir, 'autopay.yaml')]]) {
      const again = await autopay('gov', 'propose', 'set-price', ...given);
      expect(again.json).toMatchObject({ error: { message: expect.stringContaining('PriceBook_AlreadyPublished') } });
    }
    expect(await succeed('gov', 'status')).toMatchObject({ proposals: [] });
  });

  it('goes from proposal to execution, and says at each step who may do what next', async () => {
    const proposed = await succeed('gov', 'propose', 'set-budget', 'sim-small', '0.015');
    expect(proposed).toMatchObject({
      title: 'Set the budget of model sim-small to 0.015 AGPT per day',
      calls: [
        {
          text: 'ModelBudgets.setModelBudget(model: "sim-small", dailyLimit: 0.015 AGPT per day)',
          effect: { subject: 'sim-small', before: '1,000,000 AGPT per day', after: '0.015 AGPT per day' },
          failure: null,
        },
      ],
    });
    const id = String(proposed['proposalId']);
    const { code, json } = await autopay('gov', 'queue', id);
    expect([code, json]).toMatchObject([1, { error: { code: 'transaction_failed' } }]);
    await passLast();
    const { proposal } = await succeed('gov', 'status', id.slice(0, 12));
    expect(proposal).toMatchObject({ proposalId: id, state: 'executed', next: 'nothing: it is done' });
  });

  it('holds from the next day, and the relay refuses what does not fit', async () => {
    const before = await succeed('budget', 'status', 'sim-small');
    const limits = ({ models }: Record<string, unknown>) =>
      (models as { days: { limit: string }[] }[])[0]?.days.map(({ limit }) => limit);
    expect(limits(before)).toEqual([String(10n ** 24n), String(15n * 10n ** 15n)]);
    await catchUpWithClock(running.stack.rpcUrl);
    expect(limits(await succeed('budget', 'status', 'sim-small'))?.[0]).toBe(String(15n * 10n ** 15n));
    await sleep(RELAY_NOTICE_MS);

    let calls = 0;
    let answer = await autopay('call', 'Say hello.', '--model', 'sim-small', '--max-tokens', '100');
    while (answer.code === 0 && calls < 40) {
      calls += 1;
      answer = await autopay('call', 'Say hello.', '--model', 'sim-small', '--max-tokens', '100');
    }
    expect(calls).toBeGreaterThan(0);
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'model_budget_exceeded' } } });
  });

  it('is booked where everybody can read it', async () => {
    await runJob(running.stack, 'collect');
    const { models } = await succeed('budget', 'status');
    const booked = (models as { name: string; days: { spent: string }[] }[]).find(({ name }) => name === 'sim-small');
    expect(BigInt(booked?.days[0]?.spent ?? 0)).toBeGreaterThan(0n);
  });
});

describe('a dispute, from the command line', { timeout: 300_000 }, () => {
  it('is opened with the wallet’s own receipt, ruled by vote, and paid', async () => {
    expect(await succeed('dispute', 'status')).toEqual({ disputes: [] });
    const call = await succeed('call', 'Say hello.', '--model', 'sim-large', '--max-tokens', '50');
    const half = Number(call['charge']) / 2;
    const amount = (Math.floor(half) / 1e6).toFixed(6);
    await runJob(running.stack, 'collect');

    const opened = await succeed('dispute', 'open', 'metering', String(call['callId']), '--amount', amount);
    expect(opened).toMatchObject({ disputeId: '1', dispute: { kind: 'metering', state: 'open' } });
    const early = await autopay('dispute', 'expire', '1');
    expect(early).toMatchObject({ code: 1, json: { error: { message: expect.stringContaining('BillingDisputes_') } } });

    const proposed = await succeed('gov', 'propose', 'rule-dispute', '1', amount);
    expect(JSON.stringify(proposed['calls'])).toContain("refunded from the relay's bond");
    await passLast();
    const { disputes } = await succeed('dispute', 'status', '1');
    expect(disputes).toMatchObject([{ id: '1', state: 'upheld', outstanding: '0' }]);
  });

  it('that has nothing to stand on is refused before anything is signed', async () => {
    const { code, json } = await autopay('dispute', 'open', 'metering', 'last', '--amount', '1000');
    expect([code, json]).toMatchObject([1, { error: { message: expect.stringContaining('BillingDisputes_') } }]);
    const unclear = await autopay('dispute', 'open', 'metering', 'last');
    expect(unclear).toMatchObject({ code: 2, json: { error: { code: 'invalid_argument' } } });
  });
});

describe('prices and providers by vote, from the command line', { timeout: 300_000 }, () => {
  it('publish the table of a changed autopay.yaml, which has another root', async () => {
    const text = await readFile(join(running.stack.dataDir, 'autopay.yaml'), 'utf8');
    const changed = text.replace('"0.15"', '"0.16"');
    expect(changed).not.toBe(text);
    const file = join(folder, 'changed.yaml');
    await writeFile(file, changed);
    const { calls } = await succeed('gov', 'propose', 'set-price', '--config', file);
    expect(calls).toMatchObject([
      { text: expect.stringMatching(/^PriceBook\.publishPriceRoot\(root: 0x/), effect: { before: 'not published' } },
    ]);
    const [, root] = /root: (0x[0-9a-f]{64})/.exec(JSON.stringify(calls)) ?? [];
    await passLast();
    // The chain has it now, so it can be retired, and not be published again.
    const again = await autopay('gov', 'propose', 'set-price', '--config', file);
    expect(again.json).toMatchObject({ error: { message: expect.stringContaining('PriceBook_AlreadyPublished') } });
    const retired = await succeed('gov', 'propose', 'retire-price', String(root));
    expect(retired).toMatchObject({ calls: [{ effect: { before: expect.stringContaining('in force from') } }] });
  });

  it('add a provider with its payout address, and change it', async () => {
    const [first, second] = [`0x${'11'.repeat(20)}`, `0x${'22'.repeat(20)}`];
    const added = await succeed('gov', 'propose', 'add-provider', 'groq', first);
    expect(added).toMatchObject({
      calls: [
        { text: 'AutoPayLLM.registerName(name: "groq")', failure: null },
        { text: expect.stringContaining('AutoPayLLM.setProvider'), effect: { after: first }, failure: null },
      ],
    });
    await passLast();
    expect(await readPayout('groq')).toBe(first);

    const moved = await succeed('gov', 'propose', 'add-provider', 'groq', second);
    expect(moved).toMatchObject({ calls: [{ effect: { before: first, after: second } }] });
    await passLast();
    expect(await readPayout('groq')).toBe(second);
  });
});

/** The payout address of a provider, read from the chain without the CLI. */
async function readPayout(provider: string): Promise<string> {
  const { contracts, rpcUrl } = running.stack;
  const reader = createPublicClient({ transport: http(rpcUrl) });
  const call = { address: contracts.autoPayLLM, abi: autoPayLlmAbi, functionName: 'payoutOf' } as const;
  return reader.readContract({ ...call, args: [nameId(provider)] });
}
