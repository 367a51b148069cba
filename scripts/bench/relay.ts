/**
 * npm run bench:relay [-- --json] [--requests N] [--rounds N] [--connections N] [--streams N] [--only NAME]…
 *
 * What the relay costs on top of passing a body through, beside bare and Express pass-throughs and Portkey's gateway. Client, upstream
 * (the simulated provider) and the measured server are separate processes; all of it is one run on one machine, so only the ratios
 * mean something elsewhere. The relay has everything on: each call is reserved, metered, charged durably and receipted.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { fetchRelayTerms } from '../../client/fetch-relay-terms.ts';
import { startStack, type RunningStack } from '../stack.ts';
import { measureFsync } from './measure-fsync.ts';
import { readPeakMemory } from './process-usage.ts';
import { checkRows } from './relay/check-rows.ts';
import { describeSpeed, type Yardsticks } from './relay/describe-speed.ts';
import { measureSubject, type Measured, type Subject } from './relay/measure-subject.ts';
import { medianRound } from './relay/median-round.ts';
import { preparePayments } from './relay/prepare-payments.ts';
import { figure, printFigures, type Figure } from './report.ts';
import { startPassThrough, type PassThrough } from './start-pass-through.ts';
import { startPortkey } from './start-portkey.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    requests: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    streams: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});
function readCount(
  name: 'requests' | 'rounds' | 'connections' | 'streams',
  text: string,
  least: number,
  most: number,
): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= least && count <= most) return count;
  process.stderr.write(`--${name} takes a whole number from ${least} to ${most}.\n`);
  process.exit(2);
}
const requests = readCount('requests', values.requests, 1, 100_000);
const rounds = readCount('rounds', values.rounds, 1, 100);
const size = {
  requests,
  connections: readCount('connections', values.connections, 1, 1_000),
  streams: readCount('streams', values.streams ?? String(Math.min(1_000, Math.ceil(requests / 4))), 0, 1_000),
};
/** Parts of the names of what is measured; the ratios need Express and Portkey. */
const { only } = values;
const isMeasured = (name: string): boolean => only?.some((part) => name.includes(part)) ?? true;
const maxMemoryBytes = 300e6;

const folder = mkdtempSync(join(tmpdir(), 'autopay-bench-'));
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const started: PassThrough[] = [];
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
  const figures = await measureAll(running);
  // A goal of speed that is missed is a figure; books that do not agree are a failure.
  if (figures.some(({ unit, pass }) => unit === 'rows' && pass === false)) process.exitCode = 1;
  printFigures(figures, { json: values.json });
} finally {
  await Promise.all(started.map((server) => server.stop()));
  await running.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Servers that only pass on, the upstream itself first. */
async function startOthers({ stack }: RunningStack): Promise<Subject[]> {
  const config = parse(readFileSync(join(stack.dataDir, 'autopay.yaml'), 'utf8')) as {
    providers: { baseUrl: string }[];
  };
  const upstream = config.providers[0]?.baseUrl ?? '';
  const others: Subject[] = [];
  const add = (name: string, { pid, url }: Pick<PassThrough, 'pid' | 'url'>, headers: Record<string, string> = {}) =>
    others.push({ name, url, pid, model: 'sim-small', extras: () => ({ headers }) });
  add('direct', { pid: stack.pids['simulator'] ?? 0, url: upstream.replace(/\/v1$/, '') });
  for (const kind of ['bare', 'express'] as const) {
    const server = await startPassThrough(kind, upstream);
    started.push(server);
    add(kind, server);
  }
  if (!isMeasured('portkey')) return others;
  progress('fetching Portkey from npm');
  const portkey = await startPortkey(join(folder, 'portkey'), upstream);
  if (typeof portkey === 'string') progress(`Portkey is left out: ${portkey}`);
  else {
    started.push(portkey);
    add('portkey', portkey, portkey.headers);
  }
  return others;
}

async function createWays({ stack }: RunningStack): Promise<Subject[]> {
  const { apiKey, vouchers } = await preparePayments(stack, join(folder, 'wallet'));
  const { relay } = await fetchRelayTerms({ relayUrl: stack.relayUrl, fetch });
  const receipts = { chainId: stack.chainId, autoPayLLM: stack.contracts.autoPayLLM, signer: relay };
  const server = { url: stack.relayUrl, pid: stack.pids['relay'] ?? 0 };
  const headers = { authorization: `Bearer ${apiKey}` };
  return [
    { ...server, name: 'relay, free route', model: 'sim-free', extras: () => ({ receipts }) },
    { ...server, name: 'relay, API key', model: 'sim-small', extras: () => ({ receipts, headers }) },
    {
      ...{ ...server, name: 'relay, voucher per call', model: 'sim-small' },
      extras: (count) => ({ receipts, vouchers: vouchers(count) }),
    },
  ];
}

async function measureAll(stackRunning: RunningStack): Promise<Figure[]> {
  const { stack } = stackRunning;
  const others = await startOthers(stackRunning);
  const [direct] = others;
  if (!direct) throw new Error('There is no upstream.');
  const ways = await createWays(stackRunning);
  const fsyncUs = measureFsync(folder);
  const speed = [figure('disk: 4 KiB write + fsync, median', fsyncUs, 'µs')];
  const checks: Figure[] = [];
  const total = { answers: 0, receipts: 0 };
  for (const isStreamed of [false, true]) {
    const subjects = [...others, ...ways]
      .map((subject) => ({ subject, name: `${subject.name}, ${isStreamed ? 'streamed' : 'JSON'}` }))
      .filter(({ name }) => isMeasured(name));
    const measured = new Map<Subject, [Measured, ...Measured[]]>();
    for (let round = 1; round <= rounds; round++) {
      for (const { subject, name } of subjects) {
        progress(`measuring: ${name}, round ${round} of ${rounds}`);
        const warmUp = round === 1 ? requests : Math.ceil(requests / 5);
        const result = await measureSubject(subject, { isStreamed, size: { ...size, warmUp }, direct });
        measured.set(subject, [...(measured.get(subject) ?? []), result] as [Measured, ...Measured[]]);
      }
    }
    const results = new Map([...measured].map(([{ name }, all]) => [name, medianRound(all)]));
    for (const { subject, name } of subjects) {
      const result = results.get(subject.name);
      if (!result) continue;
      const isRelay = ways.includes(subject);
      speed.push(...describeSpeed(name, result, isRelay ? yardsticks(results, fsyncUs) : undefined));
      if (!isRelay) continue;
      total.answers += result.answers;
      total.receipts += result.receipts;
    }
    if (subjects.some(({ subject }) => ways.includes(subject))) {
      const kind = isStreamed ? 'streamed too' : 'JSON';
      checks.push(...checkRows(`relay, ${kind}`, { dataDir: stack.dataDir, answers: total.answers }));
    }
  }
  return [
    ...speed,
    ...describeMemory([...others.filter(({ name }) => isMeasured(name)), ...ways.slice(0, 1)]),
    ...checks,
    figure(
      'receipts verified',
      total.receipts,
      'receipts',
      ways.some(({ name }) => isMeasured(name)) ? { atLeast: 1 } : undefined,
    ),
  ];
}

function yardsticks(measured: ReadonlyMap<string, Measured>, fsyncUs: number): Yardsticks {
  return { express: measured.get('express')?.load, portkey: measured.get('portkey')?.load, fsyncUs };
}

/** At the end of the run, streams included. */
function describeMemory(subjects: readonly Subject[]): Figure[] {
  return subjects.flatMap(({ name, pid }) => {
    const bytes = readPeakMemory(pid);
    if (bytes === undefined) return [];
    const [server = name] = name.split(',');
    const goal = server === 'relay' ? { atMost: maxMemoryBytes / 1e6 } : undefined;
    return [figure(`${server}: peak of resident memory`, bytes / 1e6, 'MB', goal)];
  });
}
