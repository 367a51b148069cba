import { decodeFunctionData, type AbiFunction, type AbiParameter } from 'viem';
import { contractAt } from '../chain/known-contracts.ts';
import { agptUnit, unitOfToken, type OpenDeployment } from '../chain/open-deployment.ts';
import { formatTime } from '../format-time.ts';
import { formatShort, type TokenUnit } from '../token-amount.ts';
import type { GovernanceCall } from './governance-call.ts';
import { nameOfRole } from './role-names.ts';
import type { BookedSpend } from './read-booking.ts';

/** A call of one of the deployment's contracts, decoded. */
export interface DecodedCall {
  /** Name of the contract in Solidity. */
  contract: string;
  functionName: string;
  inputs: readonly AbiParameter[];
  args: readonly unknown[];
}

/** A call in words. */
export interface ReadableCall extends Omit<GovernanceCall, 'value'> {
  /** Wei that goes with it, decimal. */
  value: string;
  /** `Contract.function(name: value, …)`, in whole units; says so where the contract is not one of the deployment. */
  text: string;
}

/** What reading calls needs to know besides the deployment. */
export interface CallWords {
  /** Names of models and providers by identifier. */
  names: ReadonlyMap<string, string>;
  /** The token of a dispute's amounts. */
  disputeToken(disputeId: bigint): Promise<TokenUnit>;
  /** The token of a booking's amounts. */
  batchToken(batchId: bigint): Promise<TokenUnit>;
}

/** Decodes a call; undefined if its target or function is not one that the deployment has. */
export function decodeCall(deployment: OpenDeployment, call: GovernanceCall): DecodedCall | undefined {
  const known = contractAt(deployment.contracts, call.target);
  if (!known) return undefined;
  try {
    const { functionName, args } = decodeFunctionData({ abi: known.abi, data: call.calldata });
    const items = known.abi.filter(
      (item): item is AbiFunction =>
        item.type === 'function' && item.name === functionName && item.inputs.length === (args?.length ?? 0),
    );
    return { contract: known.title, functionName, inputs: items[0]?.inputs ?? [], args: args ?? [] };
  } catch {
    return undefined;
  }
}

/** Says in words what a call does: contract, function and arguments by name, amounts in whole units. */
export async function describeCall(
  deployment: OpenDeployment,
  call: GovernanceCall,
  words: CallWords,
): Promise<ReadableCall> {
  const { target, calldata } = call;
  const decoded = decodeCall(deployment, call);
  const value = call.value === 0n ? '' : ` with ${formatShort(call.value, { symbol: 'ETH', decimals: 18 })}`;
  if (!decoded) {
    const text = `UNKNOWN CALL of ${target}${value}: ${calldata}. Nobody can say here what it does.`;
    return { target, calldata, value: String(call.value), text };
  }
  const parts = [];
  for (const [i, input] of decoded.inputs.entries()) {
    const what = input.name ?? String(i);
    parts.push(`${what}: ${await describeArgument(deployment, { decoded, input, index: i }, words)}`);
  }
  const text = `${decoded.contract}.${decoded.functionName}(${parts.join(', ')})${value}`;
  return { target, calldata, value: String(call.value), text };
}

/** The token of the amounts that a call is about, and so of those in its errors; undefined if there is no one token. */
export async function unitOfCall(
  deployment: OpenDeployment,
  call: GovernanceCall,
  words: CallWords,
): Promise<TokenUnit | undefined> {
  const decoded = decodeCall(deployment, call);
  return decoded?.functionName === 'rule' ? words.disputeToken(decoded.args[0] as bigint) : undefined;
}

interface Argument {
  decoded: DecodedCall;
  input: AbiParameter;
  index: number;
}

async function describeArgument(
  deployment: OpenDeployment,
  { decoded, input, index }: Argument,
  words: CallWords,
): Promise<string> {
  const { functionName, args } = decoded;
  const value = args[index];
  switch (`${functionName}.${input.name ?? ''}`) {
    case 'setModelBudget.dailyLimit':
    case 'setDefaultBudget.dailyLimit':
      return `${formatShort(value as bigint, agptUnit)} per day`;
    case 'setAccountingRate.rate':
      return describeRate(value as bigint, unitOfToken(deployment, String(args[0])));
    case 'setTokenTerms.claimantBond':
    case 'setTokenTerms.minPenalty':
      return formatShort(value as bigint, unitOfToken(deployment, String(args[0])));
    case 'publishPriceRoot.from':
      return value === 0n ? 'its execution' : formatTime(Number(value));
    case 'retirePriceRoot.until':
      return value === 0n ? 'the end of the shortest notice' : formatTime(Number(value));
    case 'rule.refund':
      return formatShort(value as bigint, await words.disputeToken(args[0] as bigint));
    case 'releaseOverBudget.spends':
      return describeSpends(value as readonly BookedSpend[], await words.batchToken(args[0] as bigint), words);
    case 'releaseOverBudget.anchor': {
      const { size } = value as { size: bigint };
      return size === 0n ? 'none needed' : `at ${size} entries`;
    }
    default:
      return describeValue(deployment, { input, value }, words);
  }
}

/** Decimals of an accounting rate: AGPT wei per atomic unit of the token, times 10^18. */
const rateDecimals = 18;

/** What a token counts against budgets, per whole token. */
export function describeRate(rate: bigint, unit: TokenUnit): string {
  if (rate === 0n) return 'nothing (its spends are over budget)';
  // Exact, with as many digits as it takes: a small rate is not none.
  const exact = { ...agptUnit, decimals: agptUnit.decimals + rateDecimals };
  return `${formatShort(rate * 10n ** BigInt(unit.decimals), exact)} per ${unit.symbol}`;
}

function describeSpends(spends: readonly BookedSpend[], unit: TokenUnit, words: CallWords): string {
  const over = spends.filter(({ withinBudget }) => !withinBudget);
  const parts = over.map(
    ({ model, provider, day, amount }) =>
      `${formatShort(amount, unit)} on ${words.names.get(model) ?? model} at ${words.names.get(provider) ?? provider} of ${formatDay(day)}`,
  );
  return `${spends.length} booked, withheld: ${parts.join('; ') || 'none'}`;
}

function describeValue(
  deployment: OpenDeployment,
  { input, value }: { input: AbiParameter; value: unknown },
  words: CallWords,
): string {
  if (typeof value === 'string' && input.type === 'string') return JSON.stringify(value);
  if (typeof value === 'string' && input.type === 'bytes32') {
    return input.name === 'role' ? nameOfRole(value) : (words.names.get(value) ?? value);
  }
  if (typeof value === 'string' && input.type === 'address') {
    const title = contractAt(deployment.contracts, value)?.title;
    const token = Object.entries(deployment.tokens).find(([, { address }]) => address === value.toLowerCase())?.[0];
    return title ?? token ?? value;
  }
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
}

/** A UTC day (unix seconds / 86,400) as a date. */
export function formatDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}
