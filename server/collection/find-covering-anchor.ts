import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { listAnchored } from '../chain/list-anchored.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/** An anchor as its event has it (IAuditLog.Anchor). */
export interface AnchorStruct {
  size: bigint;
  previousSize: bigint;
  /** Unix seconds. */
  anchoredAt: bigint;
  root: Hex;
  cid: Hex;
}

const noAnchor: AnchorStruct = { size: 0n, previousSize: 0n, anchoredAt: 0n, root: zeroBytes32, cid: zeroBytes32 };

/**
 * The first anchor that covers a log of `logSize` entries, by the ledger's anchors and their transactions; all zero if
 * none is needed, undefined if there is none yet.
 * @throws AutoPayError `chain_unavailable`, also where the endpoint does not know the transaction (any more).
 */
export async function findCoveringAnchor(
  deps: { ledger: Pick<BackgroundLedger, 'findAnchorOf'>; client: ChainClient; auditLog: Hex },
  logSize: number,
): Promise<AnchorStruct | undefined> {
  if (logSize === 0) return noAnchor;
  const stored = await deps.ledger.findAnchorOf(logSize - 1);
  if (stored === undefined) return undefined;
  const { logs } = await callChain(`the anchor of size ${stored.size}`, () =>
    deps.client.getTransactionReceipt({ hash: stored.transactionHash }),
  );
  const anchors = listAnchored(logs, deps.auditLog);
  // Not so if this ledger has not been there from the first anchor on.
  return anchors.find(({ previousSize, size }) => previousSize < logSize && logSize <= size);
}
