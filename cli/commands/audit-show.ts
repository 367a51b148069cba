import { join } from 'node:path';
import { z } from 'zod';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { callSchema, formatCharge, openAuditSession } from '../audit-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import type { Stack } from '../read-stack.ts';

const shownSchema = callSchema.extend({
  signedReceipt: z.string(),
  log: z.looseObject({
    checkpoint: z.looseObject({ size: z.number(), signedAt: z.string() }).nullable(),
    block: z.looseObject({ cid: z.string() }).nullable(),
    anchors: z.array(z.looseObject({ chainId: z.number(), size: z.number(), transactionHash: z.string() })),
  }),
  booking: z
    .looseObject({
      state: z.string(),
      transactionHash: z.string().nullable(),
      batchId: z.string().nullable(),
      bookingTransactionHash: z.string().nullable(),
    })
    .nullable(),
});

/** Shows one call as the relay has it: its receipt, and how far the log and the money are. */
export async function runAuditShow(context: CommandContext, options: { callId: string }): Promise<void> {
  const stack = await context.stack();
  const callId = await findCallId(stack, options.callId);
  const session = await openAuditSession(stack);
  const shown = await session.ask({ method: 'GET', path: `/v1/audit/receipts/${callId}`, schema: shownSchema });
  context.print({
    json: shown,
    text: `${describe(shown, stack)}This is what the relay says. autopay audit verify ${callId} checks it.\n`,
  });
}

/** @throws AutoPayError `invalid_argument` for what is no call id */
async function findCallId(stack: Stack, asked: string): Promise<string> {
  const callId = asked === 'last' ? (await openReceiptStore(join(stack.dataDir, 'client')).findLast())?.callId : asked;
  if (callId !== undefined && isCallId(callId)) return callId;
  throw new AutoPayError(
    'invalid_argument',
    asked === 'last'
      ? 'This wallet has no receipt yet. Make a call first, or name one that autopay audit list shows.'
      : 'A call id is a lower-case UUIDv7: the x-autopay-call-id header, or what autopay audit list shows.',
  );
}

function describe(call: z.output<typeof shownSchema>, stack: Stack): string {
  const { receipt, log, booking } = call;
  const { usage } = receipt;
  const [anchor] = log.anchors;
  return formatTable([
    ['call', call.callId],
    ['charged', call.chargedAt],
    ['payer', call.payer ?? 'nobody'],
    ['model', `${call.model}, served by ${call.provider} as ${receipt.modelServed}`],
    ['tokens', `${usage.prompt} prompt + ${usage.completion} completion (${receipt.usageKind})`],
    ['cost', formatCharge(call, stack)],
    ['evidence', receipt.evidenceTier],
    ['log entry', String(call.index)],
    ['checkpoint', log.checkpoint ? `${log.checkpoint.size} entries, ${log.checkpoint.signedAt}` : 'not signed yet'],
    ['block', log.block?.cid ?? 'not written yet'],
    ['anchor', anchor ? `${anchor.size} entries, by ${anchor.transactionHash}` : 'not anchored yet'],
    ['money', booking === null ? 'nothing to take' : booking.state],
    ...(booking?.transactionHash ? [['taken by', booking.transactionHash]] : []),
    ...(booking?.bookingTransactionHash
      ? [['booked', `batch ${booking.batchId ?? ''}, by ${booking.bookingTransactionHash}`]]
      : []),
  ]);
}
