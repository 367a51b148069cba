/**
 * npm run bench:payments [-- --json] [--vouchers N]
 *
 * What it costs to admit a payment: decode it, check its challenge, verify its signature, hold the quote in the ledger. CPU time
 * of each thread, not time on the clock. viem's own recovery of the same vouchers, in the same run, is the yardstick: only the
 * ratios mean something on another machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Worker } from 'node:worker_threads';
import secp256k1 from 'secp256k1';
import { recoverTypedDataAddress } from 'viem';
import { voucherDomain, voucherTypes } from '../../protocol/typed-data/voucher.ts';
import { testKey } from '../../server/ledger/ledger-fixtures.ts';
import { openLedger } from '../../server/ledger/open-ledger.ts';
import { startVoucherRecoverer } from '../../server/payments/evm-session/recover-vouchers.ts';
import { createWallet, terms } from '../../server/payments/evm-session/session-fixture.ts';
import {
  admitAndReserve,
  createKeySubject,
  createVoucherSubject,
  createX402Subject,
  quote,
  type Subject,
} from './payments/create-subjects.ts';
import { measureThreads, type ThreadTimes } from './payments/measure-threads.ts';
import { figure, printFigures, type Figure } from './report.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, vouchers: { type: 'string', default: '16000' } },
});
const vouchers = Number(values.vouchers);
if (!Number.isSafeInteger(vouchers) || vouchers < 100 || vouchers > 1_000_000) {
  process.stderr.write('--vouchers takes a whole number from 100 to 1000000.\n');
  process.exit(2);
}
/** Slower by an order of magnitude, so fewer of them do. */
const slow = Math.max(50, Math.floor(vouchers / 20));

const folder = mkdtempSync(join(tmpdir(), 'autopay-bench-'));
const fail = (error: unknown): never => {
  throw error;
};
/** The threads as they start: the one that recovers signers, then the one that owns the ledger. */
const workers: Worker[] = [];
process.on('worker', (worker) => void workers.push(worker));
const scope = { chainId: terms.chainId, verifyingContract: terms.escrow };
const recoverer = startVoucherRecoverer({ scope, onFatal: fail });
const ledger = await openLedger({
  ...{ dataDir: folder, chainId: terms.chainId, receiptKey: testKey, onFatal: fail },
  receiptScope: { chainId: terms.chainId, verifyingContract: terms.recipient },
});
try {
  const voucherRun = await measureVouchers();
  const key = await measureSubject(await createKeySubject(ledger, vouchers));
  const x402 = await measureSubject(await createX402Subject(ledger, slow));
  const figures = [...voucherRun, ...describe('API key', key), ...describe('x402 exact by EIP-3009', x402)];
  // A goal of speed that is missed is a figure; books that do not agree are a failure.
  if (figures.some(({ unit, pass }) => unit === 'calls' && pass === false)) process.exitCode = 1;
  printFigures(figures, { json: values.json });
} finally {
  await recoverer.close();
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
}

/** The first half warms up, and is not counted: a relay runs for longer than a compiler takes. */
function split<T>(items: readonly T[]): [T[], T[]] {
  const warmUp = Math.floor(items.length / 2);
  return [items.slice(0, warmUp), items.slice(warmUp)];
}

async function measureSubject(subject: Subject): Promise<ThreadTimes> {
  const [warmUp, counted] = split(subject.calls);
  const call = (headers: (typeof counted)[number]) => admitAndReserve(ledger, subject, headers);
  await measureThreads(warmUp, { workers, call });
  return measureThreads(counted, { workers, call });
}

function describe(name: string, { mainUs, workersUs: [, ledgerUs = NaN] }: ThreadTimes): Figure[] {
  return [
    figure(`${name}: main thread`, mainUs, 'µs per call'),
    figure(`${name}: ledger thread`, ledgerUs, 'µs per call'),
  ];
}

async function measureVouchers(): Promise<Figure[]> {
  const subject = await createVoucherSubject({ ledger, recoverer }, vouchers);
  const { mainUs, workersUs } = await measureSubject(subject);
  const [signatureUs = NaN, ledgerUs = NaN] = workersUs;
  const viemUs = await measureViem(subject.vouchers.slice(0, slow));
  const nativeUs = await measureNative();
  const states = await Promise.all(subject.channelIds.map((channelId) => ledger.getChannel(channelId)));
  const reserved = states.reduce((sum, state) => sum + (state?.reserved ?? 0n), 0n);
  return [
    figure('voucher: main thread', mainUs, 'µs per call', { atMost: 40 }),
    figure('voucher: signature thread', signatureUs, 'µs per call', { atMost: 70 }),
    figure('voucher: ledger thread', ledgerUs, 'µs per call', { atMost: 70 }),
    figure('viem recoverTypedDataAddress: main thread', viemUs, 'µs per call'),
    figure('native recovery alone: main thread', nativeUs, 'µs per call'),
    figure('voucher: signature thread / native recovery', signatureUs / nativeUs, 'ratio'),
    figure('voucher: main thread / viem', mainUs / viemUs, 'ratio'),
    figure('voucher: signature thread / viem', signatureUs / viemUs, 'ratio'),
    figure('voucher: all threads / viem', (mainUs + signatureUs + ledgerUs) / viemUs, 'ratio'),
    figure('vouchers missing or held twice', Math.abs(vouchers - Number(reserved / quote)), 'calls', { atMost: 0 }),
  ];
}

async function measureViem(signed: Awaited<ReturnType<typeof createVoucherSubject>>['vouchers']): Promise<number> {
  const { address } = createWallet('1');
  const recover = async ({ signature, ...message }: (typeof signed)[number]) => {
    const typed = { domain: voucherDomain(scope), types: voucherTypes, primaryType: 'Voucher', message } as const;
    const signer = await recoverTypedDataAddress({ ...typed, signature });
    if (signer.toLowerCase() !== address) throw new Error('viem recovers another signer');
  };
  const [warmUp, counted] = split(signed);
  await measureThreads(warmUp, { workers: [], call: recover });
  return (await measureThreads(counted, { workers: [], call: recover })).mainUs;
}

/** What no thread that recovers signers natively can go below. */
async function measureNative(): Promise<number> {
  const digest = Buffer.alloc(32, 2);
  const { recid, signature } = secp256k1.ecdsaSign(digest, Buffer.alloc(32, 1));
  const call = () => Promise.resolve(secp256k1.ecdsaRecover(signature, recid, digest, false));
  const [warmUp, counted] = split(Array.from({ length: vouchers }, () => digest));
  await measureThreads(warmUp, { workers: [], call });
  return (await measureThreads(counted, { workers: [], call })).mainUs;
}
