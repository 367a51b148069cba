import { encodeFunctionData } from 'viem';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { rootOfPath } from '../../protocol/merkle/inclusion.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { LogTree } from '../audit/log-tree.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { listAnchored } from '../chain/list-anchored.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger, LoggedCharge, StoredAnchor } from '../ledger/background-ledger.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { findAnswer, type Challenge, type FindAnswerDeps } from './find-answer.ts';

/** What answering works with. */
export interface AnswerChallengeDeps extends FindAnswerDeps {
  client: Pick<ChainClient, 'getTransactionReceipt'>;
  ledger: FindAnswerDeps['ledger'] & Pick<BackgroundLedger, 'findAnchorOf'> & Pick<Ledger, 'getSignedReceipt'>;
  tree: Pick<LogTree, 'inclusionProof' | 'size' | 'update'>;
  queue: Pick<TransactionQueue, 'send'>;
  auditLog: Hex;
  billingDisputes: Hex;
}

/** IAuditLog.Anchor. */
interface Anchor {
  size: bigint;
  previousSize: bigint;
  anchoredAt: bigint;
  root: Hex;
  cid: Hex;
}

/**
 * Answers a challenge with the anchored receipt, under the purpose `answer:<disputeId>`.
 * @returns null once it is answered; else what is missing, in words for the operator.
 * @throws AutoPayError `transaction_reverted` if the contract does not take the answer, `internal_error` if the ledger does
 * not lead to what was anchored; of other errors the outcome is open: call again.
 */
export async function answerChallenge(deps: AnswerChallengeDeps, challenge: Challenge): Promise<string | null> {
  const found = await findAnswer(deps, challenge);
  if ('missing' in found) return found.missing;
  const { charge } = found;
  // The oldest anchor is the one that may be older than the challenge.
  const stored = await deps.ledger.findAnchorOf(charge.index);
  if (stored === undefined) return `log entry ${charge.index} is in no anchor yet`;
  const anchor = await readAnchor(deps, stored);
  if (challenge.kind === 'not-in-log' && anchor.anchoredAt >= BigInt(challenge.openedAt)) {
    return `log entry ${charge.index} was anchored at ${anchor.anchoredAt} only, not before the challenge`;
  }
  const path = (await provePath(deps, { charge, anchor })).map(toHex);
  const index = BigInt(charge.index);
  const data =
    challenge.kind === 'not-in-log'
      ? encodeFunctionData({
          abi: billingDisputesAbi,
          functionName: 'answerChallenge',
          args: [challenge.id, { entry: toHex(charge.entry), index, anchor, path }],
        })
      : encodeFunctionData({
          abi: billingDisputesAbi,
          functionName: 'answerSettlement',
          args: [challenge.id, await readSignedReceipt(deps, charge), index, anchor, path],
        });
  await deps.queue.send({ purpose: `answer:${challenge.id}`, to: deps.billingDisputes, data });
  return null;
}

/** The receipt of a charge with its batch's signature, as BillingDisputes takes it. */
async function readSignedReceipt({ ledger }: AnswerChallengeDeps, { entry, index }: LoggedCharge) {
  const { callId } = decodeReceipt(entry);
  const signed = await ledger.getSignedReceipt(callId);
  if (signed === undefined) {
    throw new AutoPayError('internal_error', `Log entry ${index} has no signed receipt. Run autopay fsck.`);
  }
  const root = rootOfPath({ leafHash: hashLeaf(entry), index: signed.index, size: signed.size, path: signed.path });
  if (root === undefined) {
    throw new AutoPayError('internal_error', `The receipt of ${callId} has no valid path. Run autopay fsck.`);
  }
  return {
    entry: toHex(entry),
    batch: { root: toHex(root), size: BigInt(signed.size), signedAtMs: BigInt(signed.signedAtMs) },
    index: BigInt(signed.index),
    path: signed.path.map(toHex),
    signature: toHex(signed.signature),
  };
}

/** The anchor's fields, which the contract keeps only a hash of, from the event. */
async function readAnchor({ client, auditLog }: AnswerChallengeDeps, stored: StoredAnchor): Promise<Anchor> {
  const { size, transactionHash } = stored;
  const receipt = await callChain(`the anchor of size ${size}`, () =>
    client.getTransactionReceipt({ hash: transactionHash }),
  );
  const anchored = listAnchored(receipt.logs, auditLog).find((anchor) => anchor.size === BigInt(size));
  if (anchored !== undefined) return anchored;
  throw new AutoPayError('internal_error', `Transaction ${transactionHash} did not anchor the log at size ${size}.`);
}

/** The path under the anchor, checked against it: an answer that the contract refuses would only cost time. */
async function provePath(
  { tree }: AnswerChallengeDeps,
  { charge, anchor }: { charge: LoggedCharge; anchor: Anchor },
): Promise<Uint8Array[]> {
  const { index, leafHash } = charge;
  const size = Number(anchor.size);
  if (size > tree.size()) await tree.update();
  const path = await tree.inclusionProof(index, size);
  const root = rootOfPath({ leafHash, index, size, path });
  if (root !== undefined && toHex(root) === anchor.root.toLowerCase()) return path;
  throw new AutoPayError(
    'internal_error',
    `Log entry ${index} does not lead to the anchored root of size ${size}. Run autopay fsck.`,
  );
}
