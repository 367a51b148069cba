import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ModelBudgets } from '../call/types.ts';
import type { BudgetChange } from '../ledger/background-ledger.ts';
import type { BudgetTerms } from '../ledger/ledger.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';

const dayMs = 86_400_000;
/** Answers that are kept, so that a call need not hash its model's name; all are forgotten at more. */
const maxAnswers = 10_000;

/**
 * What holds on any day by the changes that ModelBudgets told of, in the order of the chain: of the changes of one subject,
 * the last that holds from that day or earlier.
 */
export function createBudgetTable(changes: readonly BudgetChange[]): ModelBudgets {
  const subjects = new Map<string, BudgetChange[]>();
  for (const change of changes) {
    const key = change.kind + change.subject;
    subjects.set(key, [...(subjects.get(key) ?? []), change]);
  }
  const answers = new Map<string, BudgetTerms>();

  function valueOn(day: number, kind: BudgetChange['kind'], subject: Hex): bigint | null | undefined {
    return subjects.get(kind + subject)?.findLast((change) => change.fromDay <= day)?.value;
  }

  function find(ask: { model: string; token: Hex; day: number }): BudgetTerms {
    const { day } = ask;
    const limitAgpt = valueOn(day, 'model', nameId(ask.model)) ?? valueOn(day, 'default', '0x') ?? undefined;
    if (limitAgpt === undefined) {
      throw new AutoPayError(
        'budgets_unknown',
        'The chain tells of no budgets. The operator has to check contracts.modelBudgets and chain.deployedAtBlock.',
      );
    }
    const token = ask.token.toLowerCase() as Hex;
    const rate = valueOn(day, 'rate', token) ?? 0n;
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
