import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { modelBudgetsAbi } from '../protocol/abi/model-budgets.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { keccak256 } from '../protocol/bytes/keccak256.ts';
import { formatCallId } from '../protocol/receipt/call-id.ts';
import type { ChainCheck } from './check-chain.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books, Row } from './open-books.ts';
import type { Settings } from './read-settings.ts';

const dayMs = 86_400_000;
const rateUnit = 10n ** 18n;

interface ModelDaySum {
  model: string;
  day: number;
  charged: bigint;
  reserved: bigint;
}

/** What an amount counts, rounded up as the contract does. */
function countInAgpt(amount: bigint, rate: bigint): bigint {
  const product = amount * rate;
  return product / rateUnit + (product % rateUnit === 0n ? 0n : 1n);
}

function keyOf(model: string, day: number): string {
  return JSON.stringify([model, day]);
}

/** Adds one call to the day of its admission: what it was charged, or, while it is under way, what it holds. */
function addCall(sums: Map<string, ModelDaySum>, row: Row, differences: Differences): void {
  const state = row.text('state');
  const day = Math.floor(row.number('admitted_at_ms') / dayMs);
  const model = row.text('model');
  if (row.isNull('budget_rate')) {
    const isFree = row.text('funds') === 'free';
    differences.require(isFree, () => `the call ${formatCallId(row.bytes('call_id'))} was paid and counts nowhere`);
    return;
  }
  const key = keyOf(model, day);
  const sum = sums.get(key) ?? { model, day, charged: 0n, reserved: 0n };
  sums.set(key, sum);
  const rate = row.amount('budget_rate');
  if (state === 'reserved') sum.reserved += countInAgpt(row.amount('quote'), rate);
  if (state === 'charged' && !row.isNull('amount')) sum.charged += countInAgpt(row.amount('amount'), rate);
}

/** What the ledger holds against each model's budget is what its calls add up to. */
export function checkModelDays(books: Books): Claim {
  const differences = new Differences();
  const sums = new Map<string, ModelDaySum>();
  const calls = books.rows(
    `SELECT calls.call_id, calls.funds, calls.model, calls.admitted_at_ms, calls.quote, calls.state,
       calls.budget_rate, charges.amount FROM calls LEFT JOIN charges USING (call_id)`,
  );
  for (const row of calls) addCall(sums, row, differences);
  const seen = new Set<string>();
  for (const row of books.rows('SELECT * FROM model_days')) {
    const [model, day] = [row.text('model'), row.number('day')];
    seen.add(keyOf(model, day));
    const { charged = 0n, reserved = 0n } = sums.get(keyOf(model, day)) ?? {};
    const stored = { charged: row.amount('charged_agpt'), reserved: row.amount('reserved_agpt') };
    differences.require(
      stored.charged === charged && stored.reserved === reserved,
      () =>
        `${model} has ${stored.charged} charged and ${stored.reserved} reserved of day ${day}, and its calls add up to ${charged} and ${reserved}`,
    );
  }
  for (const [key, { model, day }] of sums) {
    differences.require(seen.has(key), () => `the calls of ${model} on day ${day} count nowhere`);
  }
  return differences.toClaim(
    'model_days_add_up',
    `the budgets of ${seen.size} model days hold what their calls add up to, reservations included`,
  );
}

/** What calls are compared with: the votes of the home chain, which are for the calls of all chains. */
export interface BudgetCheck {
  /** Of the home chain. */
  client: ChainCheck['client'];
  settings: Settings;
  /** Of all chains. */
  books: Books;
  others: readonly Settings[];
}

/** Every call counted at the rate that the chain has for its day, and no model was sold beyond its limit. */
export async function checkBudgets({ client, settings, books, others }: BudgetCheck): Promise<Claim> {
  const differences = new Differences();
  const address = await client.readContract({
    address: settings.contracts.autoPayLLM,
    abi: autoPayLlmAbi,
    functionName: 'modelBudgets',
  });
  const budgets = { address, abi: modelBudgetsAbi } as const;
  const rates = books.rows(
    `SELECT DISTINCT coalesce(channels.token, direct_payments.token) AS token, admitted_at_ms / ${dayMs} AS day, budget_rate,
       calls.chain_id FROM calls LEFT JOIN channels ON channels.channel_id = calls.channel_id
     LEFT JOIN direct_payments ON direct_payments.payment_id = calls.payment_id WHERE budget_rate IS NOT NULL`,
  );
  for (const row of [...rates]) {
    const [token, day, rate] = [row.hex('token'), row.number('day'), row.amount('budget_rate')];
    const counted = countedAs(token, row.number('chain_id'), [settings, ...others]);
    if (counted === undefined) {
      differences.add(
        `${token} on chain ${row.number('chain_id')} is no token of the configuration, and counted ${rate}`,
      );
      continue;
    }
    const args = [counted.token, day] as const;
    const onChain = rescale(await client.readContract({ ...budgets, functionName: 'rateOf', args }), counted.digits);
    differences.require(onChain === rate, () => `${token} counted ${rate} on day ${day}, and ${onChain} by the chain`);
  }
  const modelDays = [...books.rows('SELECT * FROM model_days')];
  for (const row of modelDays) {
    const [model, day] = [row.text('model'), row.number('day')];
    const id: Hex = toHex(keccak256(Buffer.from(model, 'utf8')));
    const held = row.amount('charged_agpt') + row.amount('reserved_agpt');
    const limit = await client.readContract({ ...budgets, functionName: 'limitOf', args: [id, day] });
    differences.require(held <= limit, () => `${model} was sold for ${held} on day ${day}, and its limit is ${limit}`);
  }
  return differences.toClaim(
    'budgets_kept',
    `none of ${modelDays.length} model days was sold beyond the limit that the chain has for it`,
  );
}

/** The token of the home chain that stands for a token, and how many more decimals it has. */
function countedAs(
  token: Hex,
  chainId: number,
  [home, ...others]: readonly [Settings, ...Settings[]],
): { token: Hex; digits: number } | undefined {
  if (chainId === home.chainId) return { token, digits: 0 };
  const tokens = others.find((settings) => settings.chainId === chainId)?.tokens ?? [];
  const known = tokens.find(({ address }) => address === token);
  const atHome = home.tokens.find(({ symbol }) => symbol === known?.symbol);
  return known && atHome && { token: atHome.address, digits: atHome.decimals - known.decimals };
}

/** A rate for an atomic unit with fewer decimals, or more; rounded up. */
function rescale(rate: bigint, digits: number): bigint {
  const power = 10n ** BigInt(digits < 0 ? -digits : digits);
  return digits < 0 ? (rate + power - 1n) / power : rate * power;
}
