import { commit } from '../protocol/receipt/commitments.ts';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import { costOfUsage, type Tariff } from '../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../protocol/receipt/verify-signed-receipt.ts';
import type { TypedDataScope } from '../protocol/typed-data/domain-separator.ts';
import type { ReceiptHistory } from '../protocol/receipt/receipt-history.ts';

/** The clocks of relay and wallet may differ by so much. */
const clockToleranceMs = 60_000;

/** What the wallet knows of a call, and so can hold the relay's receipt against. */
export interface ReceiptExpectation {
  /** Chain and AutoPayLLM contract. */
  scope: TypedDataScope;
  /** The relay's receipt-signing address. */
  relay: Hex;
  /** From `x-autopay-call-id`. */
  callId: string | null;
  /** When the request was sent, by the wallet's clock, in unix milliseconds. */
  sentAtMs: number;
  /** When the receipt came. */
  receivedAtMs: number;
  model: string;
  requestBytes: Uint8Array;
  /** undefined if the answer was too long to be kept; its commitment is then not checked. */
  responseBytes: Uint8Array | undefined;
  /**
   * The price table that the wallet knows, and what the model costs by it at the receipt's oracle round (undefined if that
   * round was not the current one); undefined if there is no table.
   */
  prices: { root: Hex; tariff: Tariff | undefined } | undefined;
  /** null on a free route. Amounts are atomic units. */
  payment: {
    payer: Hex;
    token: Hex;
    /** The most that this call may cost. */
    quote: bigint;
    by: ChannelPayment | DirectPayment;
  } | null;
}

/** What the wallet knows of the channel that pays. */
export interface ChannelPayment {
  channelId: Hex;
  /** The most that can have been charged so far, which is what was signed; atomic units. */
  mostChargeable: bigint;
  history: ReceiptHistory;
}

/** What the wallet knows of the payment that was signed for this call alone. */
export interface DirectPayment {
  /** Atomic units. */
  signed: bigint;
  /** All of it is taken, and what the call did not cost is owed back; else only what it cost is taken. */
  isTakenWhole: boolean;
}

/** A receipt whose signature is the relay's, with what is wrong in it. */
export interface CheckedReceipt {
  receipt: CallReceipt;
  signedAtMs: number;
  /** In words; empty if every check passed. */
  problems: string[];
}

/**
 * Checks everything in a receipt that a payer can check without the chain.
 * @param encoded base64 SignedReceipt.
 * @throws AutoPayError `invalid_encoding`, `invalid_signature` or `verification_failed` if it is no receipt of this relay
 *   at all.
 */
export function checkReceipt(encoded: string, expected: ReceiptExpectation): CheckedReceipt {
  const signed = decodeSignedReceipt(encoded);
  const receipt = verifySignedReceipt(signed, { scope: expected.scope, signer: expected.relay });
  const problems: string[] = [];
  const check = (isFine: boolean, problem: string) => {
    if (!isFine) problems.push(problem);
  };
  check(receipt.callId === expected.callId, `it is for call ${receipt.callId}`);
  check(receipt.modelAsked === expected.model, `it is for model ${receipt.modelAsked}`);
  const requestCommitment = commit({ subject: 'request', salt: signed.requestSalt, bytes: expected.requestBytes });
  check(toHex(requestCommitment) === receipt.requestCommitment, 'it commits to another request');
  if (expected.responseBytes !== undefined) {
    const commitment = commit({ subject: 'response', salt: signed.responseSalt, bytes: expected.responseBytes });
    check(toHex(commitment) === receipt.responseCommitment, 'it commits to another answer');
  }
  // Prices, oracle rounds and keys are judged by these times: a relay must not choose them.
  const isOfCall = (atMs: number) =>
    atMs >= expected.sentAtMs - clockToleranceMs && atMs <= expected.receivedAtMs + clockToleranceMs;
  const { admittedAtMs } = receipt;
  check(isOfCall(admittedAtMs), `its call was admitted at ${formatMs(admittedAtMs)}, and not when it was made`);
  check(isOfCall(signed.signedAtMs), `it was signed at ${formatMs(signed.signedAtMs)}, and not when it came`);
  problems.push(...priceProblems(receipt, expected.prices));
  problems.push(...paymentProblems(receipt, expected.payment));
  return { receipt, signedAtMs: signed.signedAtMs, problems };
}

/** What is no time for a Date is told as a number. */
function formatMs(atMs: number): string {
  const time = new Date(atMs);
  return Number.isNaN(time.getTime()) ? `${atMs} ms` : time.toISOString();
}

function priceProblems(receipt: CallReceipt, prices: ReceiptExpectation['prices']): string[] {
  if (receipt.amount === 0n) return [];
  if (prices?.root !== receipt.priceRoot) return [`its price table ${receipt.priceRoot} is not the published one`];
  if (!prices.tariff) return [`its oracle round ${receipt.oracleRound} was not the current one`];
  if (prices.tariff.conversion === null && receipt.oracleRound !== 0n)
    return ['it names an oracle round for no conversion'];
  let cost: bigint;
  try {
    cost = costOfUsage(receipt.usage, prices.tariff);
  } catch {
    return ['the parts of its usage exceed the whole'];
  }
  // Less than the cost is right where the reservation capped the charge, and never to the payer's harm.
  return receipt.amount > cost ? [`its amount ${receipt.amount} is above price times usage, ${cost}`] : [];
}

function paymentProblems(receipt: CallReceipt, payment: ReceiptExpectation['payment']): string[] {
  if (payment === null) {
    const isFree = receipt.amount === 0n && receipt.channelId === zeroBytes32 && receipt.payer === zeroAddress;
    return isFree ? [] : ['it charges for a free call'];
  }
  const problems: string[] = [];
  const { by } = payment;
  if (receipt.channelId !== ('channelId' in by ? by.channelId : zeroBytes32)) {
    return [`it charges channel ${receipt.channelId}`];
  }
  if (receipt.payer !== payment.payer) problems.push(`it names ${receipt.payer} as payer`);
  if (receipt.token !== payment.token) problems.push(`it charges in token ${receipt.token}`);
  if (receipt.amount > payment.quote) problems.push(`its amount ${receipt.amount} is above the quote ${payment.quote}`);
  problems.push(...('channelId' in by ? channelProblems(receipt, by) : directProblems(receipt, by)));
  return problems;
}

function channelProblems(receipt: CallReceipt, { mostChargeable, history }: ChannelPayment): string[] {
  const joins = history.add(receipt);
  if (receipt.runningTotal <= mostChargeable) return joins;
  return [`its running total ${receipt.runningTotal} is above what was signed, ${mostChargeable}`, ...joins];
}

function directProblems(receipt: CallReceipt, { signed, isTakenWhole }: DirectPayment): string[] {
  const owed = isTakenWhole ? signed - receipt.amount : 0n;
  if (receipt.refundOwed === owed) return [];
  return [`it owes ${receipt.refundOwed} back, and not ${owed}, what was taken less what the call cost`];
}
