import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ModelBudgets } from '../call/types.ts';
import type { BudgetChange } from '../ledger/background-ledger.ts';
import type { BudgetTerms } from '../ledger/ledger.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';

const dayMs = 86_400_000;
/** Answers that are kept, so that a call need not hash its model's name; all are forgotten at more. */
const maxAnswers = 10_000;

/** What holds on any day. */
export interface BudgetTable extends ModelBudgets {
  /** A model's limit, AGPT wei; undefined if no change is known that says. */
  limitOf(model: string, day: number): bigint | undefined;
  /** A token's rate, AGPT wei per atomic unit, times 10^18; 0 if it has none. */
  rateOf(token: Hex, day: number): bigint;
}

/**
 * What holds on any day by the changes that ModelBudgets told of, in the order of the chain: of the changes of one subject,
 * the last that holds from that day or earlier.
 */
export function createBudgetTable(changes: readonly BudgetChange[]): BudgetTable {
  const subjects = new Map<string, BudgetChange[]>();
  for (const change of changes) {
    const key = change.kind + change.subject;
    subjects.set(key, [...(subjects.get(key) ?? []), change]);
  }
  const answers = new Map<string, BudgetTerms>();

  function valueOn(day: number, kind: BudgetChange['kind'], subject: Hex): bigint | null | undefined {
    return subjects.get(kind + subject)?.findLast((change) => change.fromDay <= day)?.value;
  }

  const limitOf: BudgetTable['limitOf'] = (model, day) =>
    valueOn(day, 'model', nameId(model)) ?? valueOn(day, 'default', '0x') ?? undefined;
  const rateOf: BudgetTable['rateOf'] = (token, day) => valueOn(day, 'rate', token.toLowerCase() as Hex) ?? 0n;

  function find(ask: { model: string; token: Hex; day: number }): BudgetTerms {
    const { day } = ask;
    const limitAgpt = limitOf(ask.model, day);
    if (limitAgpt === undefined) {
      throw new AutoPayError(
        'budgets_unknown',
        'The chain tells of no budgets. The operator has to check contracts.modelBudgets and chain.deployedAtBlock.',
      );
    }
    const token = ask.token.toLowerCase() as Hex;
    const rate = rateOf(token, day);
    if (rate === 0n) {
      throw new AutoPayError(
        'token_without_rate',
        `No vote has set what the token ${token} counts in budgets, so no call is sold for it. Pay with another token.`,
        { facts: { token, day } },
      );
    }
    return { day, limitAgpt, rate };
  }

  return {
    limitOf,
    rateOf,
    terms({ model, token, atMs }) {
      const day = Math.floor(atMs / dayMs);
      const key = `${day} ${token} ${model}`;
      const known = answers.get(key);
      if (known !== undefined) return known;
      const terms = find({ model, token, day });
      if (answers.size >= maxAnswers) answers.clear();
      answers.set(key, terms);
      return terms;
    },
  };
}
