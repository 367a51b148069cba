import { unitOfToken } from '../client/chain/open-deployment.ts';
import type { DisputeStatus } from '../client/disputes/read-disputes.ts';
import { formatTime } from '../client/format-time.ts';
import { formatShort } from '../client/token-amount.ts';
import type { Deployment } from '../protocol/deployment/deployment-schema.ts';
import type { DisputeState } from '../protocol/disputes/dispute-kinds.ts';
import { formatTable } from './output.ts';

/** What a state means to the payer. */
const meanings: Readonly<Record<DisputeState, string>> = {
  none: 'there is no such dispute',
  open: 'not decided yet',
  answered: 'the relay showed the anchored receipt, so nothing is refunded',
  upheld: "the claim holds, and the relay's bond pays",
  rejected: 'the governance refused the claim, so nothing is refunded',
  expired: 'nobody ruled in time, so each side has its own again',
};

/** A dispute for people: what was claimed, what it moved, and who may do what next. */
export function formatDispute(deployment: Deployment, dispute: DisputeStatus): string {
  const { id, kind, state, decidedBy, frozen } = dispute;
  const money = (amount: bigint): string => formatShort(amount, unitOfToken(deployment, dispute.token));
  const penalty = dispute.penalty > 0n ? `a penalty of ${money(dispute.penalty)}` : 'no penalty';
  return formatTable([
    ['dispute', String(id)],
    ['kind', kind],
    ['state', `${state}: ${describeState(dispute)}`],
    ['opened', formatTime(dispute.openedAt)],
    ['payer', dispute.payer],
    ['channel', dispute.channelId],
    ['claimed', `${money(dispute.amount)}, and ${penalty}`],
    ...(state === 'upheld' ? describePayment(dispute, money) : []),
    ["claimant's bond", describeBond(deployment, dispute, money)],
    ...(state === 'open' ? [["held of the relay's bond", money(frozen)]] : []),
    ...(state === 'open' ? [['next', describeNext(dispute, formatTime(decidedBy))]] : []),
  ]);
}

/** What a ruling granted may be less than what was claimed, and proves nothing. */
function describeState({ kind, state }: DisputeStatus): string {
  return kind === 'metering' && state === 'upheld'
    ? "the governance granted a refund from the relay's bond"
    : meanings[state];
}

type Money = (amount: bigint) => string;

/** What an upheld claim has moved, and what it still has to. */
function describePayment(dispute: DisputeStatus, money: Money): string[][] {
  const { id, refunded, burned, outstanding, penaltyOutstanding } = dispute;
  const due = [
    ...(outstanding > 0n ? [`${money(outstanding)} to the payer`] : []),
    ...(penaltyOutstanding > 0n ? [`${money(penaltyOutstanding)} to be burned`] : []),
  ];
  return [
    ['refunded', `${money(refunded)} to the payer`],
    ['penalty', burned > 0n ? `${money(burned)} burned` : 'none burned'],
    ...(due.length > 0 ? [['outstanding', `${due.join(', ')}: autopay dispute pay ${id}`]] : []),
  ];
}

function describeBond(deployment: Deployment, dispute: DisputeStatus, money: Money): string {
  const { bond, bondReturn } = dispute;
  if (bond === 0n) return 'none was needed';
  if (bondReturn === null) return `${money(bond)}, held until the end`;
  const isRelays = bondReturn.to === deployment.contracts.autoPayLLM.toLowerCase();
  const where = isRelays ? "the relay's bond" : `the claimant ${bondReturn.to}`;
  return bondReturn.isPaid
    ? `${money(bond)} went to ${where}`
    : `${money(bond)} is owed to ${where}: the token refused the payment (BillingDisputes.claimBond)`;
}

function describeNext({ id, kind }: DisputeStatus, decidedBy: string): string {
  return kind === 'metering'
    ? `the governance rules until ${decidedBy} (autopay gov propose rule-dispute ${id} <refund>); then anyone: autopay dispute expire ${id}`
    : `the relay answers until ${decidedBy}; then anyone: autopay dispute uphold ${id}`;
}
