import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../chain/call-chain.ts';
import type { DuePayment } from '../ledger/background-ledger.ts';
import type { SettlementContracts } from './build-settlement.ts';
import { findReceived, findSubmission, type SubmissionReader } from './find-submission.ts';
import { authorityOf, readPayment, type TokenPayment } from './payment-payload.ts';
import { readPayerState, type StateReader } from './read-payer-state.ts';

/** What a settlement that the chain refused comes to. */
export type Judgement =
  /** The desk has handed the money on already, by a transaction that the ledger does not know. */
  | { kind: 'received'; transactionHash: Hex }
  /** Somebody else brought it to the desk; it waits to be attributed. */
  | { kind: 'submitted'; signed: TokenPayment }
  /** The payer's doing. */
  | { kind: 'lost'; reason: string }
  /** Not the payer's doing, as far as can be told: to be tried again. */
  | { kind: 'open'; reason: string };

/** What judging needs. */
export interface JudgeOptions {
  client: StateReader & SubmissionReader;
  contracts: SettlementContracts;
  /** Of one log query. */
  maxBlocksPerQuery: number;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Refusals of `executeLLMCall` that lie with the payer; all others are the relay's, or the vote's. */
const payersRefusals = [
  'AutoPayLLM_DailyCapExceeded',
  'AutoPayLLM_PaymentNotReceived',
  'ERC20InsufficientAllowance',
  'ERC20InsufficientBalance',
];

/** Refusals of `attribute…` that lie with the payer. */
const payersAttributions = [
  'PaymentDesk_InvalidSignature',
  'PaymentDesk_NothingArrived',
  'PaymentDesk_PaymentIncomplete',
];

/**
 * Finds out why the chain refused a settlement, by what it says now.
 * @throws AutoPayError `chain_unavailable`
 */
export async function judgeFailure(
  options: JudgeOptions,
  payment: DuePayment,
  refusal: AutoPayError,
): Promise<Judgement> {
  const signed = readPayment(payment);
  return signed === undefined ? judgeAllowance(refusal) : judgeSigned(options, { payment, signed, refusal });
}

/**
 * What the desk has handed on of a payment, atomic units; 0 if nothing yet.
 * @param blockNumber as of this block; an endpoint that does not have it answers nothing
 * @throws AutoPayError `chain_unavailable`
 */
export function readReceived(
  { client, contracts }: JudgeOptions,
  signed: TokenPayment,
  blockNumber?: bigint,
): Promise<bigint> {
  return callChain('what the desk has received', () =>
    client.readContract({
      ...{ address: contracts.paymentDesk, abi: paymentDeskAbi, functionName: 'receivedOf' },
      args: [authorityOf(signed), signed.payer, signed.nonce],
      ...(blockNumber !== undefined && { blockNumber }),
    }),
  );
}

/** The payer's doing where the money of its payment did not come whole; undefined where it did. */
export function judgeReceived(
  received: bigint,
  { captured }: Pick<DuePayment, 'captured'>,
): Extract<Judgement, { kind: 'lost' }> | undefined {
  return received < captured ? lost(`the desk received ${received} of it, less than ${captured}`) : undefined;
}

/**
 * What an attribution that the chain refused comes to: what somebody brought was another payment's, or the wallet takes its
 * signature back. Undefined where it is not the payer's doing.
 */
export function judgeAttribution({ facts }: AutoPayError): Extract<Judgement, { kind: 'lost' }> | undefined {
  const reason = String(facts['contractError']);
  return payersAttributions.includes(reason) ? lost(`nothing came that is its own: ${reason}`) : undefined;
}

async function judgeSigned(
  options: JudgeOptions,
  { payment, signed, refusal }: { payment: DuePayment; signed: TokenPayment; refusal: AutoPayError },
): Promise<Judgement> {
  const { client, contracts, maxBlocksPerQuery } = options;
  const { captured, validBefore } = payment;
  const { paymentDesk: desk } = contracts;
  const [state, received] = await Promise.all([
    readPayerState(client, signed, { desk, amount: captured }),
    readReceived(options, signed),
  ]);
  const search = { client, desk, maxBlocksPerQuery };
  if (received > 0n) {
    const short = judgeReceived(received, payment);
    if (short !== undefined) return short;
    const transactionHash = await findReceived(search, signed);
    if (transactionHash !== undefined) return { kind: 'received', transactionHash };
    return open('the desk has received it, in a transaction too long ago to be found');
  }
  if (state.isUsed) {
    const { chargedAtMs } = payment;
    const brought =
      signed.kind === 'permit2-upto' ? undefined : await findSubmission(search, { ...signed, chargedAtMs });
    if (brought === 'unknown') return open('its nonce was used, in a transaction too long ago to be found');
    return brought === undefined
      ? lost('its nonce was cancelled, or used for another payment')
      : { kind: 'submitted', signed };
  }
  if (state.simulation.ok) {
    // A wallet's own code may tell a simulation from a transaction.
    const isWallets = state.code !== undefined && !isOurs(refusal);
    return isWallets
      ? lost('its wallet takes it in a simulation, and not in a transaction')
      : open('the desk refuses what the token takes');
  }
  if (validBefore !== null && options.nowMs() / 1_000 >= validBefore) return lost('it expired before it was settled');
  if (state.balance < captured) return lost(`the payer holds ${state.balance}, less than ${captured}`);
  if (state.allowance !== null && state.allowance < captured) return lost('Permit2 may no longer take it');
  return lost(`the token refuses it: ${state.simulation.error.message}`);
}

/** A repeat of a call that is paid succeeds, so a refusal means that it is not. */
function judgeAllowance(refusal: AutoPayError): Judgement {
  const reason = String(refusal.facts['contractError'] ?? 'unknown');
  if (payersRefusals.includes(reason)) return lost(`the allowance does not pay: ${reason}`);
  return open(refusal.message);
}

/** Whether the relay's own contracts refused it, or nobody said who did: a transaction that was mined tells no reason. */
function isOurs({ facts }: AutoPayError): boolean {
  const { contractError } = facts;
  return contractError === undefined || /^(?:PaymentDesk|AutoPayLLM|AccessControl)/.test(String(contractError));
}

function lost(reason: string): Extract<Judgement, { kind: 'lost' }> {
  return { kind: 'lost', reason };
}

function open(reason: string): Judgement {
  return { kind: 'open', reason };
}
