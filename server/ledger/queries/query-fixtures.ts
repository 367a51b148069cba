import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { otherScope, someChannel, someCharge, someReserve, testScope } from '../ledger-fixtures.ts';
import type { TestBooks } from '../test-books.ts';
import type { CallFilter, CallQuery } from './audit-queries.ts';
import type { QuestionTable } from './create-question-table.ts';

/*
 * For tests: charges of all kinds in real books, and what queries find of them, read one by one.
 */

/** A charge, as a test knows it without asking any query. */
export interface KnownCharge {
  index: number;
  chainId: number;
  payer: Hex | null;
  keyId: string | null;
  receipt: CallReceipt;
}

/** What a charge is to be like. */
export interface ChargeTerms {
  chainId: number;
  /** A channel on that chain; null on a free route. */
  channelId: Hex | null;
  payer: Hex | null;
  keyId: string | null;
  model: string;
  provider: string;
}

/** The two chains of the tests' books. */
export const chainIds = [testScope.chainId, otherScope.chainId] as const;

/** Opens a channel of a payer. */
export function openChannel(books: TestBooks, { chainId, payer }: { chainId: number; payer: Hex }): Hex {
  return books.run('upsertChannel', someChannel({ payer }), chainId).channelId;
}

let signed = 0n;

/** Makes one charge of 3 atomic units, or of nothing on a free route, at the present time. */
export function makeCharge(books: TestBooks, terms: ChargeTerms): KnownCharge {
  const { chainId, channelId, keyId, model, payer, provider } = terms;
  // Above every voucher before it, whichever channel it is of.
  signed += 10n;
  const voucher = channelId === null ? null : { channelId, cumulativeAmount: signed };
  const request = someReserve(voucher, channelId === null ? 0n : 5n, { keyId, model });
  const outcome = books.run('reserve', request, chainId);
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  const charge = someCharge(request.callId, channelId === null ? 0n : 3n, { modelAsked: model, provider });
  const { receipt } = books.run('charge', charge, chainId);
  const [last] = books.db.prepare('SELECT max(log_index) AS last FROM charges').all();
  return { index: Number(last?.['last']), chainId, payer, keyId, receipt };
}

/** Whether a charge passes a filter, by its receipt. */
export function passes({ chainId, payer, keyId, receipt }: KnownCharge, filter: CallFilter): boolean {
  return (
    (filter.chainId === undefined || filter.chainId === chainId) &&
    (filter.payer === undefined || filter.payer === payer) &&
    (filter.keyId === undefined || filter.keyId === keyId) &&
    (filter.model === undefined || filter.model === receipt.modelAsked) &&
    (filter.provider === undefined || filter.provider === receipt.provider) &&
    (filter.sinceMs === undefined || receipt.chargedAtMs >= filter.sinceMs) &&
    (filter.untilMs === undefined || receipt.chargedAtMs < filter.untilMs)
  );
}

/** Walks to the end, piece by piece; the positions that were found. */
export function walkCalls(
  table: Pick<QuestionTable, 'listCalls'>,
  query: Pick<CallQuery, 'filter' | 'order' | 'limit'>,
  between: () => void = () => undefined,
): number[] {
  const found: number[] = [];
  for (let at: number | null | undefined; at !== null; between()) {
    const piece = table.listCalls({ ...query, format: 'json', ...(at !== undefined && { at }) });
    found.push(...piece.text.split('\n', piece.count).map((line) => (JSON.parse(line) as { index: number }).index));
    at = piece.next;
  }
  return found;
}
