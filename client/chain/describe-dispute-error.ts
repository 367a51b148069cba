import { decodeErrorResult, type DecodeErrorResultReturnType } from 'viem';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { disputeKinds, disputeStates } from '../../protocol/disputes/dispute-kinds.ts';
import { formatTime } from '../format-time.ts';
import { formatShort, type TokenUnit } from '../token-amount.ts';

type DisputeError = DecodeErrorResultReturnType<typeof billingDisputesAbi>;

/**
 * What an error of BillingDisputes means and what to do, as a clause.
 * @param data revert data.
 * @param unit of the amounts in it; without it they are told in atomic units.
 * @returns undefined if it is none that a user can cause.
 */
export function describeDisputeError(data: Hex, unit?: TokenUnit): string | undefined {
  let error: DisputeError;
  try {
    error = decodeErrorResult({ abi: billingDisputesAbi, data });
  } catch {
    return undefined;
  }
  return describeEvidence(error) ?? describeState(error, unit ?? { symbol: 'atomic units', decimals: 0 });
}

/** What is wrong with the evidence. */
function describeEvidence(error: DisputeError): string | undefined {
  switch (error.errorName) {
    case 'BillingDisputes_NotSignedByRelay': {
      const [signer, at] = error.args;
      return `the receipt is signed by ${signer}, which was no receipt key of this relay at ${timeOf(at)}; only what the relay signed counts`;
    }
    case 'BillingDisputes_NotInBatch':
      return 'the path does not lead from the receipt to the signed root; take the receipt as the relay gave it';
    case 'BillingDisputes_NotInAnchor':
      return `the path does not lead from log entry ${error.args[1]} to the anchored root; take entry, anchor and path of the same index`;
    case 'BillingDisputes_NotInPriceTable':
      return 'the price row is not in the table that the receipt names; prove a row of that table';
    case 'BillingDisputes_NotAChannelCall':
      return `no channel with the receipt's payer and token paid for the call at this relay (channel ${error.args[0]}); only calls that channels paid can be disputed`;
    case 'BillingDisputes_TooOld': {
      const [at, earliest] = error.args;
      return `the evidence is of ${timeOf(at)}; only what was signed, or anchored, since ${timeOf(earliest)} counts`;
    }
    case 'BillingDisputes_VersionUnknown':
      return `the receipt has layout version ${error.args[0]}; only version 1 is judged`;
    case 'BillingDisputes_NoContradiction':
      return 'what was shown fits together, so there is nothing to refund';
    case 'BillingDisputes_NotComparable':
      return 'the pieces of evidence are not about the same thing; show two of one channel and sequence, one index, or one model and token';
    case 'BillingDisputes_SequenceTooLarge':
      return `no honest receipt has sequence number ${error.args[0]}; challenge with an earlier one`;
    case 'BillingDisputes_NotAnAnswer':
      return 'the entry does not answer the challenge; show the disputed receipt under an anchor from before it, or a later one that accounts for what was settled';
    default:
      return undefined;
  }
}

/** What stands against it now, or against who asks. */
function describeState(error: DisputeError, unit: TokenUnit): string | undefined {
  switch (error.errorName) {
    case 'BillingDisputes_AlreadyDisputed':
      return 'this was disputed before, and counts once; see autopay dispute status';
    case 'BillingDisputes_NotPayer': {
      const [caller, payer] = error.args;
      return `only the channel's payer ${payer} can do this, and ${caller} is another; use that wallet's key`;
    }
    case 'BillingDisputes_TokenUnknown':
      return `the governance has set no terms for disputes in the token ${error.args[0]}, so none can be opened in it`;
    case 'BillingDisputes_TooEarly':
      return `it is too early; try again from ${timeOf(error.args[0])} on`;
    case 'BillingDisputes_TooLate':
      return `it is too late; the time for it ended at ${timeOf(error.args[0])}`;
    case 'BillingDisputes_AmountOutOfRange': {
      const [amount, maximum] = error.args;
      if (maximum === 0n) {
        return 'nothing of it can be claimed now: it was claimed before, or the relay has not collected it yet';
      }
      return `${formatShort(amount, unit)} cannot be claimed; say an amount above zero and at most ${formatShort(maximum, unit)}`;
    }
    case 'BillingDisputes_WrongState': {
      const [id, kind, state] = error.args;
      if (kind === 0) return `there is no dispute ${id}; see autopay dispute status`;
      return `dispute ${id} (${disputeKinds[kind] ?? kind}) is ${disputeStates[state] ?? state}, and this cannot be done with such a one; see autopay dispute status ${id}`;
    }
    case 'BillingDisputes_NotGovernance':
      return 'only the governance can do this; put it to the vote with autopay gov propose';
    case 'BillingDisputes_NothingToPay':
      return "nothing can be paid now: nothing is due, the relay's bond is empty, or the channel has not paid more yet";
    case 'BillingDisputes_BondNotReceived': {
      const [received, expected] = error.args;
      return `the token delivered ${formatShort(received, unit)} of a bond of ${formatShort(expected, unit)}; tokens that take fees cannot be used`;
    }
    default:
      return undefined;
  }
}

const timeOf = (seconds: bigint): string => formatTime(Number(seconds));
