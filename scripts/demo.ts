/**
 * `npm run demo`: two paid calls by an unmodified OpenAI client, collected, booked and anchored on a chain, then verified
 * without the relay and without its database. Exits non-zero and names the step if any of it fails.
 */
import { join } from 'node:path';
import { formatAmount } from '../client/token-amount.ts';
import { collectAndBook } from './demo/collect-and-book.ts';
import { QUIET_JOBS, USDC } from './demo/demo-settings.ts';
import { callJson, callStreamed, createPayer, openChannel, type PaidCall } from './demo/make-calls.ts';
import { runDemo, type Demo } from './demo/run-demo.ts';
import { runJob } from './demo/run-job.ts';
import { showTable } from './demo/show-table.ts';
import { moveDatabaseAway, requireSilence, verifyFromOutside } from './demo/verify-from-outside.ts';
import { startStack, type StackFile } from './stack.ts';

function showCall(say: Demo['say'], { answer, receipt, leafHash }: PaidCall): void {
  const fields: [string, string][] = [
    ['answer', answer.length > 90 ? `${answer.slice(0, 90)}…` : answer],
    ['call', receipt.callId],
    ['model', `${receipt.modelServed} (asked for ${receipt.modelAsked}) by ${receipt.deployment}`],
    ['usage', `${receipt.usage.prompt} + ${receipt.usage.completion} tokens (${receipt.usageKind})`],
    [
      'charge',
      `${formatAmount(receipt.amount, USDC)}, on this channel so far ${formatAmount(receipt.runningTotal, USDC)}`,
    ],
    ['sequence', String(receipt.sequence)],
    [
      'commitments',
      `request ${receipt.requestCommitment.slice(0, 18)}…, response ${receipt.responseCommitment.slice(0, 18)}…`,
    ],
    ['evidence', `${receipt.evidenceTier}; leaf ${leafHash.toString('hex').slice(0, 16)}…`],
  ];
  for (const [name, value] of fields) say(`   ${name.padEnd(12)} ${value}`);
}

async function anchorLog(say: Demo['say'], stack: StackFile, calls: readonly PaidCall[]): Promise<void> {
  const anchor = await runJob(stack, 'anchor');
  if (anchor.size !== calls.length) throw new Error(`the log has ${anchor.size} entries, not ${calls.length}`);
  if (anchor.transactionHash === null) throw new Error('nothing was anchored');
  say(`   ${anchor.size} entries, root ${anchor.root}`);
  say(`   block ${anchor.cid}`);
  say(`   anchored ${anchor.transactionHash}`);
}

async function demonstrate({ folder, signal, say, step, keep }: Demo): Promise<void> {
  const running = await step('start a chain, contracts, a simulated provider and the relay', () =>
    startStack({ dataDir: join(folder, 'stack'), config: QUIET_JOBS, log: (line) => say(`   ${line}`), signal }),
  );
  keep(running);
  const { stack } = running;
  const payer = await createPayer(stack, join(folder, 'wallet'));
  await step('open a payment channel with USDC (FiatTokenV2_2)', async () => {
    const { channelId, deposit } = await openChannel(payer);
    say(`   ${formatAmount(deposit, USDC)} in escrow, channel ${channelId}`);
  });
  const calls: PaidCall[] = [];
  const kinds = [
    ['JSON', callJson, 'sim-small'],
    ['streamed', callStreamed, 'sim-large'],
  ] as const;
  for (const [kind, make, model] of kinds) {
    await step(`make a ${kind} call with the openai client`, async () => {
      const call = await make(payer, model);
      showCall(say, call);
      calls.push(call);
    });
  }
  const charged = calls.reduce((sum, { receipt }) => sum + receipt.amount, 0n);
  const transaction = await step('collect and book on the chain', () => collectAndBook(say, stack, charged));
  await step('anchor the log on the chain', () => anchorLog(say, stack, calls));
  await step('stop the relay and move its database away', async () => {
    await running.stopRelay();
    await requireSilence(stack.relayUrl);
    say(`   moved ${(await moveDatabaseAway(stack.dataDir, join(folder, 'away'))).join(', ')}`);
  });
  const rows = await step('verify both calls from the chain and the blocks alone', async () => {
    const verified = [];
    for (const call of calls) {
      const found = await verifyFromOutside(stack, call);
      for (const claim of found.claims) say(`   ok ${claim.name}: ${claim.detail}`);
      verified.push(describeRow(call, found, transaction));
    }
    return verified;
  });
  showTable(say, rows);
}

function describeRow(
  { receipt }: PaidCall,
  { call, claims }: Awaited<ReturnType<typeof verifyFromOutside>>,
  transaction: string,
): Record<string, string> {
  return {
    call: receipt.callId,
    model: receipt.modelServed,
    provider: receipt.provider,
    tokens: `${receipt.usage.prompt}+${receipt.usage.completion}`,
    charge: formatAmount(receipt.amount, USDC),
    transaction,
    CID: call.cid,
    proof: `entry ${call.index} of ${call.anchor.size}: ${claims.length} claims hold`,
  };
}

await runDemo(demonstrate);
