import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { CallError } from './call-error.ts';
import type { CallContext } from './call-context.ts';
import { chargeCall, type ChargeOptions } from './charge-call.ts';
import { finishLater } from './finish-payment.ts';
import type { BreakReason } from './judge-break.ts';

const messages: Record<BreakReason, string> = {
  call_timeout: 'The call took longer than this relay allows. What was generated is charged. Ask for fewer tokens.',
  answer_too_long:
    'The answer is longer than this relay allows. What was generated is charged. Lower n, top_logprobs or the limit of tokens.',
  client_too_slow: 'The answer was not read fast enough. What was generated is charged. Read the stream as it comes.',
  voucher_missing:
    'No voucher came in time for the rest of the answer, or a budget does not cover it. What was delivered is charged. Sign ahead, or sign the whole quote.',
  client_gone: 'The client has gone.',
};

/**
 * Charges for what was read of an answer that was broken off, and then tells the client, if it is still there: of a stream
 * by the receipt comment, an error event and a broken connection, never by its regular end.
 * @throws CallError with the receipt in its headers, if nothing has been sent; CallFailure as chargeCall.
 */
export async function chargeBrokenOff(
  context: CallContext,
  { reason, charge }: { reason: BreakReason; charge: Omit<ChargeOptions, 'answer' | 'brokenOff'> },
): Promise<void> {
  const { call, sink, watch } = context;
  const charged = await chargeCall(context, { ...charge, brokenOff: reason, answer: null });
  finishLater(context, charged.result);
  if (watch.clientGone || reason === 'client_gone') return sink.destroy();
  const { code, message, param, type } = new AutoPayError(reason, messages[reason]);
  if (!sink.started) throw new CallError(code, message, { headers: { 'x-autopay-receipt': charged.receipt } });
  const error = call.endpoint.stream?.writeError({ message, type, param, code }) ?? '';
  await watch.write(Buffer.from(`: autopay-receipt ${charged.receipt}\n\n${error}`));
  sink.destroy();
}
