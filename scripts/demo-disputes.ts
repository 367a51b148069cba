/**
 * `npm run demo:disputes`: a dispute of each style, from evidence to refund, on a local chain: contradictions that the chain
 * sees by itself, a false and a true challenge, and metering, ruled by vote and not ruled at all. Every amount is read from
 * the chain and compared. Exits non-zero and names the step if any of it fails.
 */
import { join } from 'node:path';
import { readDisputes } from '../client/disputes/read-disputes.ts';
import { formatAmount } from '../client/token-amount.ts';
import { collectAndBook } from './demo/collect-and-book.ts';
import { QUIET_JOBS, USDC } from './demo/demo-settings.ts';
import { openScene, type DisputeScene } from './demo/dispute-scene.ts';
import { callJson, createPayer, openChannel, type PaidCall, type Payer } from './demo/make-calls.ts';
import { openVoter } from './demo/open-voter.ts';
import { runDemo, type Demo } from './demo/run-demo.ts';
import { runJob } from './demo/run-job.ts';
import { showChallenges } from './demo/show-challenges.ts';
import { showMetering } from './demo/show-metering.ts';
import { showOneShot } from './demo/show-one-shot.ts';
import { showTable } from './demo/show-table.ts';
import { startStack, type StackFile } from './stack.ts';

const MODEL = 'sim-large';
/** The relay looks at disputes each minute by default; nobody wants to watch that. */
const CONFIG = { ...QUIET_JOBS, disputes: { intervalSeconds: 1 } };

type Three = [PaidCall, PaidCall, PaidCall];

async function buyThree({ say }: Demo, payer: Payer): Promise<Three> {
  const calls: Three = [await callJson(payer, MODEL), await callJson(payer, MODEL), await callJson(payer, MODEL)];
  for (const { receipt } of calls) {
    const { sequence, amount, usage, callId } = receipt;
    say(
      `   ${sequence}. ${formatAmount(amount, USDC)} for ${usage.prompt} + ${usage.completion} tokens  call ${callId}`,
    );
  }
  return calls;
}

async function anchorLog({ say }: Demo, stack: StackFile): Promise<void> {
  const { size, root, transactionHash } = await runJob(stack, 'anchor');
  say(`   anchored ${size} entries, root ${root}  ${transactionHash}`);
}

/** All disputes as the chain has them at the end. */
async function showOutcomes({ demo, voter }: DisputeScene): Promise<void> {
  const disputes = await readDisputes(voter.deployment);
  showTable(
    demo.say,
    disputes.map(({ id, kind, state, amount, refunded, burned }) => ({
      dispute: String(id),
      kind,
      ended: state,
      claimed: formatAmount(amount, USDC),
      refunded: formatAmount(refunded, USDC),
      burned: formatAmount(burned, USDC),
    })),
  );
}

await runDemo(async (demo) => {
  const { folder, signal, say, step } = demo;
  const running = await step('start a chain, contracts, a simulated provider and the relay', () =>
    startStack({ dataDir: join(folder, 'stack'), config: CONFIG, log: (line) => say(`   ${line}`), signal }),
  );
  demo.keep(running);
  const { stack } = running;
  const scene = await openScene(demo, stack, await openVoter(stack));
  // Where the commands look for the wallet's receipts.
  const payer = await createPayer(stack, join(stack.dataDir, 'client'));
  const [duplicated, overcharged, logged] = await step(
    'buy three calls; the relay anchors their receipts',
    async () => {
      const { channelId, deposit } = await openChannel(payer);
      say(`   ${formatAmount(deposit, USDC)} in escrow, channel ${channelId}`);
      const calls = await buyThree(demo, payer);
      await anchorLog(demo, stack);
      return calls;
    },
  );
  const [hidden, ruled, unruled] = await step('buy three more, which stay out of the log', () => buyThree(demo, payer));
  await step('the relay collects and books what the channel owes', () =>
    collectAndBook(say, stack, unruled.receipt.runningTotal),
  );

  await showOneShot(scene, { duplicated: duplicated.receipt, overcharged: overcharged.receipt });
  await showChallenges(scene, { logged: logged.receipt, hidden: hidden.receipt });
  await showMetering(scene, { ruled: ruled.receipt, unruled: unruled.receipt });
  await showOutcomes(scene);
});
