import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import { batchPaths } from './batch-paths.ts';
import type { ChargeStore } from './charge-store.ts';
import { chainsOf, type GroupContext, type PendingCharge } from './group-context.ts';

/** A chain whose receipts are sealed: who they are signed for, and where their batches are stored. */
export interface SealedChain {
  scope: TypedDataScope;
  charges: Pick<ChargeStore, 'insertBatch'>;
}

/**
 * Signs the receipts of a group, once for all of each chain, and stores the batches in the group's own transaction: a receipt
 * that leaves the relay is a row that is durable. A dispute is decided on the chain that the call was paid on, by the contracts
 * there, so a batch is signed for its chain.
 * @returns the signed receipts, in the order of `context.charges`.
 */
export function createSealReceipts({ chains, key }: { chains: readonly SealedChain[]; key: Uint8Array }) {
  const known = new Map(
    chains.map(({ scope, charges }) => [scope.chainId, { separator: receiptDomainSeparator(scope), charges }]),
  );

  function sealBatch(batch: readonly PendingCharge[], { batchId, nowMs }: Pick<GroupContext, 'batchId' | 'nowMs'>) {
    const chain = known.get(batch[0]?.chainId ?? 0);
    if (!chain) throw new AutoPayError('internal_error', 'A charge is of a chain that this relay does not sign for.');
    const { root, paths } = batchPaths(batch.map((charge) => charge.leafHash));
    const size = batch.length;
    const signature = signDigest(receiptBatchDigest(chain.separator, { root, size, signedAtMs: nowMs }), key);
    chain.charges.insertBatch({ batchId, root, size, signedAtMs: nowMs, signature });
    return batch.map(({ entry, requestSalt, responseSalt }, index): SignedReceipt => {
      const path = paths[index] ?? [];
      return { entry, index, size, signedAtMs: nowMs, path, signature, requestSalt, responseSalt };
    });
  }

  return function sealReceipts({ batchId, charges, nowMs }: GroupContext): SignedReceipt[] {
    const sealed = new Map<PendingCharge, SignedReceipt>();
    chainsOf(charges).forEach((chainId, position) => {
      const batch = charges.filter((charge) => charge.chainId === chainId);
      const receipts = sealBatch(batch, { batchId: batchId + position, nowMs });
      receipts.forEach((receipt, index) => {
        const charge = batch[index];
        if (charge) sealed.set(charge, receipt);
      });
    });
    return charges.flatMap((charge) => sealed.get(charge) ?? []);
  };
}
