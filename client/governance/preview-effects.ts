import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { agptUnit, unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';
import { formatShort } from '../token-amount.ts';
import { formatTime } from '../format-time.ts';
import { decodeCall, describeRate, formatDay, type CallWords } from './describe-call.ts';
import type { GovernanceCall } from './governance-call.ts';
import { nameOfRole } from './role-names.ts';
import type { BookedSpend } from './read-booking.ts';

const secondsPerDay = 86_400;

/** What a call would change. */
export interface Effect {
  /** What is changed, such as `sim-small`. */
  subject: string;
  before: string;
  after: string;
  /** From when, in words. */
  from: string;
}

/** What effects are read with. */
export interface PreviewContext {
  deployment: OpenDeployment;
  words: CallWords;
  /** The earliest time at which the proposal can be executed, unix seconds. */
  executableAt: number;
}

/** One line for people: `sim-small: 1,000,000 AGPT per day → 5 AGPT per day, from 2026-11-23`. */
export function formatEffect({ subject, before, after, from }: Effect): string {
  return `${subject}: ${before} → ${after}, ${from}`;
}

/** Compares what a call sets with what the chain has now; undefined for calls without a preview. */
export async function previewEffect(context: PreviewContext, call: GovernanceCall): Promise<Effect | undefined> {
  const decoded = decodeCall(context.deployment, call);
  const preview = decoded && previews[`${decoded.contract}.${decoded.functionName}`];
  if (preview) return preview(context, decoded.args, call.target);
  const role = decoded && rolePreviews.has(decoded.functionName) ? decoded : undefined;
  return role && previewRole(context, { ...role, target: call.target });
}

type Preview = (context: PreviewContext, args: readonly unknown[], target: Hex) => Promise<Effect>;

const rolePreviews = new Set(['grantRole', 'revokeRole']);

const previews: Readonly<Record<string, Preview>> = {
  'ModelBudgets.setModelBudget': async (context, [name, limit]) => ({
    subject: String(name),
    before: await readLimit(context, String(name)),
    after: perDay(limit as bigint),
    from: fromNextDay(context),
  }),
  'ModelBudgets.removeModelBudget': async (context, [name]) => ({
    subject: String(name),
    before: await readLimit(context, String(name)),
    after: `the default, ${await readDefaultLimit(context)}`,
    from: fromNextDay(context),
  }),
  'ModelBudgets.setDefaultBudget': async (context, [limit]) => ({
    subject: 'models without a budget of their own',
    before: await readDefaultLimit(context),
    after: perDay(limit as bigint),
    from: fromNextDay(context),
  }),
  'ModelBudgets.setAccountingRate': previewRate,
  'PriceBook.publishPriceRoot': previewPublication,
  'PriceBook.retirePriceRoot': previewRetirement,
  'AutoPayLLM.registerName': async (context, [name]) => ({
    subject: `the name ${String(name)}`,
    before: 'not published',
    after: 'published',
    from: fromExecution(context),
  }),
  'AutoPayLLM.setProvider': previewProvider,
  'AutoPayLLM.releaseOverBudget': previewRelease,
  'BillingDisputes.rule': previewRuling,
};

const perDay = (limit: bigint): string => `${formatShort(limit, agptUnit)} per day`;

const fromExecution = ({ executableAt }: PreviewContext): string =>
  `from its execution, at the earliest ${formatTime(executableAt)}`;

const dayAfterExecution = ({ executableAt }: PreviewContext): number => Math.floor(executableAt / secondsPerDay) + 1;

const fromNextDay = (context: PreviewContext): string =>
  `from the UTC day after its execution, at the earliest ${formatDay(dayAfterExecution(context))}`;

async function readLimit(context: PreviewContext, name: string): Promise<string> {
  const { reader, contracts } = context.deployment;
  const args = [nameId(name), dayAfterExecution(context)] as const;
  const address = contracts.modelBudgets;
  return perDay(await reader.readContract({ address, abi: modelBudgetsAbi, functionName: 'limitOf', args }));
}

async function readDefaultLimit(context: PreviewContext): Promise<string> {
  const { reader, contracts } = context.deployment;
  const args = [dayAfterExecution(context)] as const;
  const address = contracts.modelBudgets;
  return perDay(await reader.readContract({ address, abi: modelBudgetsAbi, functionName: 'defaultLimitOf', args }));
}

async function previewRate(context: PreviewContext, [token, rate]: readonly unknown[]): Promise<Effect> {
  const { deployment } = context;
  const address = deployment.contracts.modelBudgets;
  const unit = unitOfToken(deployment, String(token));
  const args = [token as Hex, dayAfterExecution(context)] as const;
  const before = await deployment.reader.readContract({ address, abi: modelBudgetsAbi, functionName: 'rateOf', args });
  return {
    subject: `one ${unit.symbol} against budgets`,
    before: describeRate(before, unit),
    after: describeRate(rate as bigint, unit),
    from: before !== 0n || (await hadRate(context, String(token))) ? fromNextDay(context) : fromExecution(context),
  };
}

/** Only a token's first rate holds at once; a rate that was set to zero is one too. */
async function hadRate({ deployment }: PreviewContext, token: string): Promise<boolean> {
  const address = deployment.contracts.modelBudgets;
  const events = await readEvents(deployment, { address, abi: modelBudgetsAbi, eventName: 'AccountingRateSet' });
  return events.some(({ args }) => args.token.toLowerCase() === token.toLowerCase());
}

async function previewTable(
  { deployment }: PreviewContext,
  root: Hex,
  change: Pick<Effect, 'after'> & { from(tableFrom: bigint): string | Promise<string> },
): Promise<Effect> {
  const call = { address: deployment.contracts.priceBook, abi: priceBookAbi, functionName: 'periodOf' } as const;
  const { from, until } = await deployment.reader.readContract({ ...call, args: [root] });
  const end = until === 0n ? '' : ` until ${formatTime(Number(until))}`;
  return {
    subject: `price table ${root}`,
    before: from === 0n ? 'not published' : `in force from ${formatTime(Number(from))}${end}`,
    after: change.after,
    from: await change.from(from),
  };
}

function previewPublication(context: PreviewContext, [root, from]: readonly unknown[]): Promise<Effect> {
  return previewTable(context, root as Hex, {
    after: 'in force',
    from: () => (from === 0n ? fromExecution(context) : `from ${formatTime(Number(from))}`),
  });
}

function previewRetirement(context: PreviewContext, [root, until]: readonly unknown[]): Promise<Effect> {
  return previewTable(context, root as Hex, {
    after: 'not in force',
    from: async (tableFrom) => {
      if (until !== 0n) return `from ${formatTime(Number(until))}`;
      const { reader, contracts } = context.deployment;
      const notice = { address: contracts.priceBook, abi: priceBookAbi, functionName: 'MIN_NOTICE' } as const;
      const noticeSeconds = Number(await reader.readContract(notice));
      const earliest = Math.max(context.executableAt + noticeSeconds, Number(tableFrom));
      return `${noticeSeconds / 60} minutes after its execution, at the earliest ${formatTime(earliest)}`;
    },
  });
}

async function previewProvider(context: PreviewContext, [id, payout]: readonly unknown[]): Promise<Effect> {
  const { reader, contracts } = context.deployment;
  const call = { address: contracts.autoPayLLM, abi: autoPayLlmAbi, functionName: 'payoutOf' } as const;
  const before = await reader.readContract({ ...call, args: [id as Hex] });
  return {
    subject: `payout address of ${context.words.names.get(String(id)) ?? String(id)}`,
    before: before === zeroAddress ? 'none' : before,
    after: payout === zeroAddress ? 'none: nothing more can be booked to it' : String(payout),
    from: `for what is booked ${fromExecution(context)}`,
  };
}

async function previewRelease(context: PreviewContext, [batchId, spends]: readonly unknown[]): Promise<Effect> {
  const unit = await context.words.batchToken(batchId as bigint);
  const withheld = (spends as readonly BookedSpend[])
    .filter(({ withinBudget }) => !withinBudget)
    .reduce((sum, { amount }) => sum + amount, 0n);
  return {
    subject: `booking ${String(batchId)}`,
    before: `${formatShort(withheld, unit)} withheld`,
    after: `${formatShort(withheld, unit)} may be withdrawn by its providers`,
    from: fromExecution(context),
  };
}

async function previewRuling(context: PreviewContext, [disputeId, refund]: readonly unknown[]): Promise<Effect> {
  const { reader, contracts } = context.deployment;
  const call = { address: contracts.billingDisputes, abi: billingDisputesAbi, functionName: 'getDispute' } as const;
  const { amount, payer } = await reader.readContract({ ...call, args: [disputeId as bigint] });
  const unit = await context.words.disputeToken(disputeId as bigint);
  return {
    subject: `dispute ${String(disputeId)}`,
    before: `${formatShort(amount, unit)} claimed by ${payer}`,
    after:
      refund === 0n
        ? "rejected; the claimant's bond goes to the relay's"
        : `${formatShort(refund as bigint, unit)} refunded from the relay's bond, without a penalty`,
    from: fromExecution(context),
  };
}

async function previewRole(
  context: PreviewContext,
  call: { contract: string; functionName: string; args: readonly unknown[]; target: Hex },
): Promise<Effect> {
  const [role, account] = call.args as [Hex, Hex];
  // All access-controlled contracts share OpenZeppelin's functions.
  const hasRole = { address: call.target, abi: autoPayLlmAbi, functionName: 'hasRole', args: [role, account] } as const;
  const has = (isIt: boolean): string => (isIt ? 'has it' : 'has it not');
  return {
    subject: `${nameOfRole(role)} of ${call.contract} for ${account}`,
    before: has(await context.deployment.reader.readContract(hasRole)),
    after: has(call.functionName === 'grantRole'),
    from: fromExecution(context),
  };
}
