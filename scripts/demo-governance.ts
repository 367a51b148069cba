/**
 * `npm run demo:governance`: token holders cut a model's budget by vote; the relay then refuses what does not fit, and what a
 * careless relay books beyond it is withheld until a second vote lets it go. The local chain begins three days in the past,
 * so that the days of a vote can go by. Exits non-zero and names the step if any of it fails.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { APIError } from 'openai';
import { agptUnit, type OpenDeployment } from '../client/chain/open-deployment.ts';
import { proposeModelBudget, proposeOverBudgetRelease } from '../client/governance/build-proposal.ts';
import { formatDay } from '../client/governance/describe-call.ts';
import { readBudgets, type BudgetDay } from '../client/governance/read-budgets.ts';
import { formatAmount, formatShort } from '../client/token-amount.ts';
import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { nameId } from '../protocol/bytes/name-id.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { bookBeyondBudget } from './demo/book-beyond-budget.ts';
import { collectAndBook } from './demo/collect-and-book.ts';
import { QUIET_JOBS, USDC } from './demo/demo-settings.ts';
import { callJson, createPayer, openChannel, type Payer } from './demo/make-calls.ts';
import { advanceTime, catchUpWithClock } from './demo/move-time.ts';
import { delegateVotes, openVoter } from './demo/open-voter.ts';
import { passProposal } from './demo/pass-proposal.ts';
import { runDemo, type Demo } from './demo/run-demo.ts';
import { runJob } from './demo/run-job.ts';
import { startStack, type StackFile } from './stack.ts';

const MODEL = 'sim-small';
const PROVIDER = 'simulated';
/** A few calls' worth. */
const NEW_BUDGET_AGPT = '0.05';
const DAYS_IN_THE_PAST = 3;
const DAY_MS = 86_400_000;
/** More calls than the budget can be enough for. */
const MAX_CALLS = 50;
/** Longer than the relay's interval of reading the chain. */
const RELAY_NOTICE_MS = 6_000;
/** What the careless relay books beyond the budget. */
const CARELESS_AMOUNT = 20_000n;

/** What the contracts have of the model's budget today, in words. */
async function readToday(deployment: OpenDeployment): Promise<BudgetDay & { text: string }> {
  const { models } = await readBudgets(deployment, { model: MODEL });
  const today = models[0]?.days[0];
  if (!today) throw new Error('the budget cannot be read');
  const [limit, spent, left] = [today.limit, today.spent, today.left].map((amount) => formatShort(amount, agptUnit));
  return { ...today, text: `${MODEL} on ${formatDay(today.day)}: limit ${limit}, booked ${spent}, left ${left}` };
}

/** OpenAI's members of an error; the others are the relay's facts. */
type ErrorBody = Record<'message' | 'type' | 'param' | 'code', unknown>;

/** Calls until the relay refuses for the budget; what was charged, in atomic units. */
async function callUntilRefused(say: Demo['say'], payer: Payer): Promise<bigint> {
  let charged = 0n;
  for (let calls = 1; calls <= MAX_CALLS; calls += 1) {
    try {
      const { receipt } = await callJson(payer, MODEL);
      charged = receipt.runningTotal;
      say(`   call ${calls}: charged ${formatAmount(receipt.amount, USDC)}`);
    } catch (error) {
      if (!(error instanceof APIError) || error.code !== 'model_budget_exceeded') throw error;
      if (charged === 0n) throw new Error('the first call was refused already', { cause: error });
      say(`   call ${calls}: refused with HTTP ${error.status} ${error.code}`);
      say(`   ${error.message}`);
      const {
        message: _message,
        type: _type,
        param: _param,
        code: _code,
        ...facts
      } = error.error as object & ErrorBody;
      for (const [name, value] of Object.entries(facts)) say(`   ${name.padEnd(12)} ${String(value)}`);
      return charged;
    }
  }
  throw new Error(`the relay did not refuse any of ${MAX_CALLS} calls`);
}

/** What of USDC the rest of a model's budget is enough for, rounded down. */
async function restInUsdc(deployment: OpenDeployment, left: bigint): Promise<bigint> {
  const { rates } = await readBudgets(deployment, { model: MODEL });
  const rate = rates.find(({ unit }) => unit.symbol === USDC.symbol)?.today ?? 0n;
  return rate === 0n ? 0n : (left * 10n ** 18n) / rate;
}

/** Books as a relay would that ignored the vote; the number of the booking. */
async function bookCarelessly(
  say: Demo['say'],
  stack: StackFile,
  options: { deployment: OpenDeployment; channelId: Hex; settled: bigint; walletKey: Hex },
): Promise<bigint> {
  const { deployment, ...rest } = options;
  const { day, left } = await readToday(deployment);
  const fitting = await restInUsdc(deployment, left);
  const amounts = [fitting, CARELESS_AMOUNT].filter((amount) => amount > 0n);
  const booking = { ...rest, day, model: MODEL, provider: PROVIDER, amounts };
  const { batchId, parts, collectHash, bookHash } = await bookBeyondBudget(stack, deployment, booking);
  say(`   collected with a voucher of the payer  ${collectHash}`);
  say(`   booking ${batchId}  ${bookHash}`);
  for (const { amount, withinBudget } of parts) {
    say(`   ${formatAmount(amount, USDC)}  ${withinBudget ? 'within the budget' : 'OVER BUDGET: withheld'}`);
  }
  const withheld = parts.filter(({ withinBudget }) => !withinBudget);
  if (withheld.length !== 1 || withheld[0]?.amount !== CARELESS_AMOUNT) throw new Error('nothing was withheld');
  say(`   ${(await readToday(deployment)).text}`);
  return batchId;
}

/** What the provider may withdraw, atomic units of USDC. */
async function readCredit({ reader, contracts, tokens }: OpenDeployment): Promise<bigint> {
  const autoPay = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const provider = nameId(PROVIDER);
  const payout = await reader.readContract({ ...autoPay, functionName: 'payoutOf', args: [provider] });
  const token = tokens['USDC']?.address ?? '0x';
  const id = await reader.readContract({ ...autoPay, functionName: 'creditId', args: [token, provider, payout] });
  return (await reader.readContract({ ...autoPay, functionName: 'getCredit', args: [id] })).amount;
}

await runDemo(async (demo) => {
  const { folder, signal, say, step } = demo;
  const running = await step(`start a stack whose chain begins ${DAYS_IN_THE_PAST} days ago`, () =>
    startStack({
      dataDir: join(folder, 'stack'),
      config: QUIET_JOBS,
      chainStart: new Date(Date.now() - DAYS_IN_THE_PAST * DAY_MS),
      log: (line) => say(`   ${line}`),
      signal,
    }),
  );
  demo.keep(running);
  const { stack } = running;
  const voter = await openVoter(stack);
  const { deployment, rpcUrl, walletKey } = voter;

  await delegateVotes(demo, voter);
  await passProposal(demo, voter, proposeModelBudget(deployment, MODEL, NEW_BUDGET_AGPT));
  await step("let the chain's time catch up with the clock", async () => {
    await catchUpWithClock(rpcUrl);
    const today = await readToday(deployment);
    say(`   ${today.text}`);
    await sleep(RELAY_NOTICE_MS);
  });

  const payer = await createPayer(stack, join(folder, 'wallet'));
  const charged = await step(`buy calls of ${MODEL} until the relay refuses`, () => callUntilRefused(say, payer));
  await step('the relay collects and books: all of it fits', async () => {
    await collectAndBook(say, stack, charged);
    // What is booked is released once the log that covers it is anchored.
    await runJob(stack, 'anchor');
  });
  const batchId = await step(
    "a careless relay books on (by hand, with the relay's key: the relay itself refuses)",
    async () => {
      const { channelId } = await openChannel(payer);
      await running.stopRelay();
      return bookCarelessly(say, stack, { deployment, channelId: channelId as Hex, settled: charged, walletKey });
    },
  );
  await step('let the dispute window go by', async () => {
    const autoPay = { address: deployment.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
    const window = await deployment.reader.readContract({ ...autoPay, functionName: 'disputeWindow' });
    await advanceTime(rpcUrl, Number(window) + 1);
  });
  const before = await readCredit(deployment);
  await passProposal(demo, voter, await proposeOverBudgetRelease(deployment, batchId));
  await step('what was withheld is the provider’s now', async () => {
    const gained = (await readCredit(deployment)) - before;
    if (gained !== CARELESS_AMOUNT) throw new Error(`the provider gained ${gained}, not ${CARELESS_AMOUNT}`);
    say(`   ${PROVIDER} may withdraw ${formatAmount(gained, USDC)} more`);
  });
});
