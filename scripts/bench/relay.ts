/**
 * npm run bench:relay [-- --json] [--requests N] [--connections N]
 *
 * What the relay costs on top of passing a body through. Client, upstream (the simulated provider) and the measured server
 * are separate processes; all of it is one run on one machine, so only the ratios mean something elsewhere.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { connectWalletChain } from '../../client/open-channel.ts';
import { fetchRelayTerms } from '../../client/fetch-relay-terms.ts';
import { fromHex, toHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import { startStack, type RunningStack } from '../stack.ts';
import type { LoadJob, LoadResult } from './load.ts';
import { measureFsync } from './measure-fsync.ts';
import { processCpuUs } from './process-cpu.ts';
import { figure, printFigures, type Figure } from './report.ts';
import { runLoad } from './run-load.ts';
import { startPassThrough } from './start-pass-through.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '32' },
  },
});
function readCount(name: 'requests' | 'connections'): number {
  const count = Number(values[name]);
  if (Number.isSafeInteger(count) && count >= 1 && count <= 1_000_000) return count;
  process.stderr.write(`--${name} takes a whole number from 1 to 1000000.\n`);
  process.exit(2);
}
const requests = readCount('requests');
const connections = readCount('connections');
const sequentialRequests = Math.max(200, Math.floor(requests / 20));
const warmUpRequests = Math.max(500, Math.floor(requests / 10));
const maxTokens = 16;
/** Above the quote of the body below (its bytes as prompt, 16 tokens of output). */
const voucherStep = 200n;

const bodyFor = (model: string): string =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: maxTokens });

interface Subject {
  name: string;
  url: string;
  pid: number;
  model: string;
  extras: (phase: number) => Pick<LoadJob, 'vouchers' | 'receipts'>;
}

interface Measured {
  name: string;
  load: LoadResult;
  sequential: LoadResult;
  cpuUsPerCall: number | undefined;
  calls: number;
}

/** Opens payment channels for the load client, which then need no chain any more. */
async function openChannels(running: RunningStack, count: number): Promise<{ privateKey: Hex; channelIds: Hex[] }> {
  const { stack } = running;
  const privateKey = readFileSync(stack.wallet.keyFile, 'utf8').trim() as Hex;
  const terms = await fetchRelayTerms({ relayUrl: stack.relayUrl, fetch });
  const chain = connectWalletChain({ rpcUrl: stack.rpcUrl, privateKey, terms });
  const [token] = terms.tokens;
  if (!token) throw new Error('The relay takes no token.');
  const channelIds: Hex[] = [];
  for (let index = 0; index < count; index += 1) {
    const salt = toHex(randomBytes(32));
    const channelId = computeChannelId({
      payer: addressOfPrivateKey(fromHex(privateKey, 32)),
      payee: terms.payee,
      token: token.address,
      salt,
      authorizedSigner: zeroAddress,
      escrow: terms.escrow,
      chainId: terms.chainId,
    });
    await chain.openChannel({ token, deposit: 10_000_000n, salt, channelId });
    channelIds.push(channelId);
  }
  return { privateKey, channelIds };
}

async function measure(subject: Subject): Promise<Measured> {
  const url = `${subject.url}/v1/chat/completions`;
  const body = bodyFor(subject.model);
  const job = (phase: number, count: number, lanes: number): LoadJob => ({
    url,
    body,
    requests: count,
    connections: lanes,
    ...subject.extras(phase),
  });
  const warmUp = await runLoad(job(0, warmUpRequests, connections));
  const before = processCpuUs(subject.pid);
  const load = await runLoad(job(1, requests, connections));
  const after = processCpuUs(subject.pid);
  const sequential = await runLoad(job(2, sequentialRequests, 1));
  for (const result of [warmUp, load, sequential]) {
    if (result.failures > 0)
      throw new Error(`${subject.name}: ${result.failures} calls failed, first: ${result.firstFailure}`);
  }
  return {
    name: subject.name,
    load,
    sequential,
    cpuUsPerCall: before === undefined || after === undefined ? undefined : (after - before) / requests,
    calls: warmUp.answers + load.answers + sequential.answers,
  };
}

function figuresOf(measured: readonly Measured[], direct: Measured): Figure[] {
  const express = measured.find(({ name }) => name === 'express')?.load;
  return measured.flatMap(({ name, load, sequential, cpuUsPerCall }) => {
    const perSecond = (result: LoadResult) => (result.answers / result.durationMs) * 1000;
    const isRelay = name.startsWith('relay');
    return [
      figure(`${name}: throughput`, perSecond(load), 'req/s'),
      ...(express && isRelay
        ? [figure(`${name}: throughput / express`, perSecond(load) / perSecond(express), 'ratio', { atLeast: 0.5 })]
        : []),
      figure(`${name}: added p50, one at a time`, sequential.p50Us - direct.sequential.p50Us, 'µs'),
      figure(`${name}: added p99, one at a time`, sequential.p99Us - direct.sequential.p99Us, 'µs'),
      figure(`${name}: p99 at ${connections} connections`, load.p99Us, 'µs'),
      ...(cpuUsPerCall === undefined ? [] : [figure(`${name}: CPU per call`, cpuUsPerCall, 'µs')]),
    ];
  });
}

/** Rows = answers: every answered call has one charge in the ledger, and no reservation is left. */
function checkRows(dataDir: string, answered: number): Figure[] {
  const database = new DatabaseSync(join(dataDir, 'ledger.sqlite'), { readOnly: true });
  const charges = database.prepare('SELECT count(*) AS count FROM charges').get() as { count: number };
  const open = database.prepare("SELECT count(*) AS count FROM calls WHERE state = 'reserved'").get() as {
    count: number;
  };
  database.close();
  return [
    figure('charges missing or too many', Math.abs(charges.count - answered), 'rows', { atMost: 0 }),
    figure('reservations left', open.count, 'rows', { atMost: 0 }),
  ];
}

const folder = mkdtempSync(join(tmpdir(), 'autopay-bench-'));
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const running = await startStack({
  dataDir: join(folder, 'stack'),
  log: progress,
  // No background work while the clock runs.
  config: {
    collection: { intervalSeconds: 600 },
    audit: { intervalSeconds: 600 },
    // All calls come from one address.
    free: { requestsPerMinute: 1_000_000, requestsPerDay: 1_000_000_000 },
  },
});
try {
  const { stack } = running;
  const config = parse(readFileSync(join(stack.dataDir, 'autopay.yaml'), 'utf8')) as {
    providers: { baseUrl: string }[];
  };
  const upstream = config.providers[0]?.baseUrl ?? '';
  const channelsPerPhase = 8;
  const { privateKey, channelIds } = await openChannels(running, 3 * channelsPerPhase);
  const relayPid = stack.pids['relay'] ?? 0;
  const { relay } = await fetchRelayTerms({ relayUrl: stack.relayUrl, fetch });
  const receipts = { chainId: stack.chainId, autoPayLLM: stack.contracts.autoPayLLM, signer: relay };
  const vouchers = (phase: number): NonNullable<LoadJob['vouchers']> => ({
    privateKey,
    chainId: stack.chainId,
    escrow: stack.contracts.paymentChannels,
    channels: channelIds
      .slice(phase * channelsPerPhase, (phase + 1) * channelsPerPhase)
      .map((channelId) => ({ channelId, firstCumulative: '0' })),
    step: voucherStep.toString(),
  });

  const bare = await startPassThrough('bare', upstream);
  const express = await startPassThrough('express', upstream);
  try {
    const none = () => ({});
    const upstreamUrl = upstream.replace(/\/v1$/, '');
    progress('measuring: upstream alone');
    const direct = await measure({
      name: 'direct',
      url: upstreamUrl,
      pid: stack.pids['simulator'] ?? 0,
      model: 'sim-small',
      extras: none,
    });
    const subjects: Subject[] = [
      { name: 'bare', url: bare.url, pid: bare.pid, model: 'sim-small', extras: none },
      { name: 'express', url: express.url, pid: express.pid, model: 'sim-small', extras: none },
      {
        name: 'relay, free route',
        url: stack.relayUrl,
        pid: relayPid,
        model: 'sim-free',
        extras: () => ({ receipts }),
      },
      {
        name: 'relay, voucher per call',
        url: stack.relayUrl,
        pid: relayPid,
        model: 'sim-small',
        extras: (phase) => ({ receipts, vouchers: vouchers(phase) }),
      },
    ];
    const measured: Measured[] = [];
    const checks: Figure[] = [];
    let answered = 0;
    for (const subject of subjects) {
      progress(`measuring: ${subject.name}`);
      const result = await measure(subject);
      measured.push(result);
      if (!subject.name.startsWith('relay')) continue;
      answered += result.calls;
      checks.push(
        ...checkRows(stack.dataDir, answered).map((item) => ({ ...item, name: `${subject.name}: ${item.name}` })),
      );
    }
    const relayed = measured.filter(({ name }) => name.startsWith('relay'));
    const verified = relayed.reduce(
      (sum, { load, sequential }) => sum + load.verifiedReceipts + sequential.verifiedReceipts,
      0,
    );
    const asked = relayed.length * (Math.ceil(requests / 100) + Math.ceil(sequentialRequests / 100));
    checks.push(figure('receipts verified / sampled', verified / asked, 'ratio', { atLeast: 1 }));
    const speed = [
      figure('disk: 4 KiB write + fsync, median', measureFsync(folder), 'µs'),
      ...figuresOf(measured, direct),
    ];
    // A goal of speed that is missed is a figure; books that do not agree are a failure.
    if (checks.some(({ pass }) => pass === false)) process.exitCode = 1;
    printFigures([...speed, ...checks], { json: values.json });
  } finally {
    await Promise.all([bare.stop(), express.stop()]);
  }
} finally {
  await running.stop();
  rmSync(folder, { recursive: true, force: true });
}
