import { setTimeout as sleep } from 'node:timers/promises';
import { readDisputes, type DisputeStatus } from '../../client/disputes/read-disputes.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { DisputeState } from '../../protocol/disputes/dispute-kinds.ts';
import type { StackFile } from '../stack.ts';
import { advanceTime } from './move-time.ts';
import type { Voter } from './open-voter.ts';
import { runAutopay } from './run-autopay.ts';
import type { Demo } from './run-demo.ts';
import { readMoney, requireChange, type Money } from './watch-money.ts';

/** Longer than the running relay takes to notice a dispute and to have its answer in a block. */
const noticeTimeoutMs = 60_000;

/** What the parts of the disputes demo work with. */
export interface DisputeScene {
  demo: Demo;
  stack: StackFile;
  /** The demo wallet: payer of the channel, and holder of the votes. */
  voter: Voter;
  /** What disputes in USDC cost, atomic units. */
  terms: { claimantBond: bigint; minPenalty: bigint };
}

/** Opens the scene on a running stack. */
export async function openScene(demo: Demo, stack: StackFile, voter: Voter): Promise<DisputeScene> {
  const { reader, contracts, tokens } = voter.deployment;
  const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
  const token = tokens['USDC']?.address ?? '0x';
  const terms = await reader.readContract({ ...disputes, functionName: 'termsOf', args: [token] });
  return { demo, stack, voter, terms };
}

/** Runs a command of `autopay` on the scene's stack; those that sign need `--yes`. */
export function autopay({ demo, stack }: DisputeScene, ...args: string[]): Promise<void> {
  return runAutopay(demo, stack, args);
}

/** Does something, and requires that it moves exactly this money. */
export async function moving<T>(scene: DisputeScene, expected: Partial<Money>, action: () => Promise<T>): Promise<T> {
  const { deployment, sender } = scene.voter;
  const before = await readMoney(deployment, sender.address);
  const result = await action();
  const after = await readMoney(deployment, sender.address);
  requireChange(scene.demo.say, { before, after }, expected);
  return result;
}

/** The newest dispute; requires its state. */
export async function newestDispute({ voter }: DisputeScene, state: DisputeState): Promise<DisputeStatus> {
  const newest = (await readDisputes(voter.deployment)).at(-1);
  if (newest === undefined) throw new Error('no dispute was opened');
  if (newest.state !== state) throw new Error(`dispute ${newest.id} is ${newest.state}, not ${state}`);
  return newest;
}

/** Lets the time go by in which a dispute could be answered or ruled on. */
export async function passDeadline({ demo, voter }: DisputeScene, { decidedBy }: DisputeStatus): Promise<void> {
  const seconds = decidedBy - (await voter.deployment.now()) + 1;
  await advanceTime(voter.rpcUrl, seconds);
  demo.say(`   ${(seconds / 3_600).toFixed(1)} hours later on the chain, nobody has decided`);
}

/** Waits for something that the running relay does by itself. */
export async function waitUntil<T>(
  { demo }: DisputeScene,
  what: string,
  read: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + noticeTimeoutMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${noticeTimeoutMs / 1000} s`);
    await sleep(200, undefined, { signal: demo.signal });
  }
}

/** What is burned when a refund is upheld (IBillingDisputes): half of it, and not less than the token's least. */
export function penaltyOf({ terms }: DisputeScene, refund: bigint): bigint {
  const half = refund / 2n;
  return half > terms.minPenalty ? half : terms.minPenalty;
}
