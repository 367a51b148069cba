import { join } from 'node:path';
import { z } from 'zod';
import { unitOfToken } from '../../client/chain/open-deployment.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { openRelaySession } from '../../client/relay-session.ts';
import { openPaymentStore } from '../../client/payment-store.ts';
import { knownUsdc } from '../../client/seller-assets.ts';
import { sumPayments, type PaymentRow } from '../../client/sum-payments.ts';
import { sumSpending } from '../../client/sum-spending.ts';
import { formatAmount, type TokenUnit } from '../../client/token-amount.ts';
import { zeroAddress } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { addressSchema, amountSchema } from '../../protocol/payments/value-schemas.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import type { Stack } from '../read-stack.ts';

const rowSchema = z.object({
  token: addressSchema,
  key_id: z.string().nullish(),
  project_id: z.string().nullish(),
  calls: z.number().int().nonnegative(),
  amount: amountSchema,
});
const listSchema = z.object({ data: z.array(rowSchema) });

/** What `autopay spend` was given. */
export interface SpendOptions {
  by: 'model' | 'day' | 'key' | 'project';
  /** First and last day (UTC), such as `2026-11-21`. */
  since?: string;
  until?: string;
}

/** Shows what was spent: by the wallet's own receipts, or for keys, whose calls other programs make, by the relay's books. */
export async function runSpend(context: CommandContext, options: SpendOptions): Promise<void> {
  for (const day of [options.since, options.until]) {
    if (day === undefined || z.iso.date().safeParse(day).success) continue;
    throw new AutoPayError('invalid_argument', 'Write --since and --until as a day (UTC), such as 2026-11-21.');
  }
  const { by, ...days } = options;
  const stack = await context.stack();
  if (by === 'key' || by === 'project') return printRelaySpending(context, stack, { by, ...days });
  const receipts = await openReceiptStore(join(stack.dataDir, 'client')).list();
  const rows = sumSpending(receipts, { by, chainId: stack.chainId, ...days });
  const cells = rows.map((row) => [
    row.name,
    String(row.calls),
    `${row.promptTokens} + ${row.completionTokens}`,
    row.token === null ? 'free' : formatAmount(row.amount, unitOfToken(stack, row.token)),
    row.doubtful === 0 ? '' : `${row.doubtful} with receipts that do not fit`,
  ]);
  const others = sumPayments(await openPaymentStore(join(stack.dataDir, 'client')).list(), days);
  context.print({
    json: { by, source: 'receipts', data: rows, withoutReceipt: others },
    text:
      (cells.length === 0 ? 'No calls.\n' : formatTable([[by, 'calls', 'tokens', 'cost', ''], ...cells])) +
      formatOthers(others, stack),
  });
}

function formatOthers(others: readonly PaymentRow[], stack: Stack): string {
  if (others.length === 0) return '';
  const cells = others.map((row) => [
    row.service,
    `chain ${row.chainId}`,
    String(row.payments),
    formatAmount(row.amount, unitOn(row, stack)),
    row.unconfirmed === 0 ? '' : `${row.unconfirmed} not confirmed`,
  ]);
  return `\nPaid without a receipt, as the services say:\n${formatTable(cells)}`;
}

/** Tokens of other chains than the stack's are those that sellers may be paid in, or unknown. */
function unitOn({ chainId, token }: PaymentRow, stack: Stack): TokenUnit {
  const known = knownUsdc().find((asset) => asset.chainId === chainId && asset.address === token);
  if (known) return known;
  return chainId === stack.chainId ? unitOfToken(stack, token) : { symbol: `atomic units of ${token}`, decimals: 0 };
}

async function printRelaySpending(context: CommandContext, stack: Stack, options: SpendOptions): Promise<void> {
  const { by, ...days } = options;
  const session = openRelaySession(await openStackWallet(stack));
  const query = new URLSearchParams({ group_by: by, ...days });
  const { data } = await session.ask({ method: 'GET', path: `/v1/spending?${query.toString()}`, schema: listSchema });
  const rows = data.map((row) => {
    const name = (by === 'key' ? row.key_id : row.project_id) ?? null;
    return { name, token: row.token, calls: row.calls, amount: row.amount };
  });
  const nameless = by === 'key' ? "the wallet's own calls" : 'in no project';
  const cells = rows.map(({ name, token, calls, amount }) => [
    name ?? nameless,
    String(calls),
    token === zeroAddress ? 'free' : formatAmount(amount, unitOfToken(stack, token)),
  ]);
  context.print({
    json: { by, source: 'relay', data: rows },
    text: cells.length === 0 ? 'No calls.\n' : formatTable([[by, 'calls', 'cost, by the relay’s books'], ...cells]),
  });
}
