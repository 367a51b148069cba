import type { ReceiptStore, StoredReceipt } from '../receipt-store.ts';
import { HeldReceipts } from './find-contradictions.ts';
import { findWrongDelivery } from './find-wrong-price.ts';
import { holdReceipt, isRecent, type Finding, type HeldReceipt } from './held-receipt.ts';
import { writeEvidence } from './write-evidence.ts';

/** So much of the record is read when the wallet starts: some hundreds of receipts, more than can be in flight. The first answer waits. */
const firstReadBytes = 1_048_576;

/** Finds what a relay's receipts prove against it, as they come. */
export interface ReceiptWatch {
  /**
   * Judges a receipt that is in the record by now, against the newest there: also those that other processes of the same folder
   * have put there. What is found is written down, and the owner is warned. It never rejects: the answer is paid for.
   * @param findPriceFraud asked only where something did not fit, and not waited for: it asks the chain.
   */
  judge(stored: StoredReceipt, findPriceFraud: (held: HeldReceipt) => Promise<Finding[]>): Promise<void>;
}

/** Makes the watch of a wallet. */
export function createReceiptWatch(options: {
  receipts: Pick<ReceiptStore, 'readFrom'>;
  stateDir: string;
  onWarning: (message: string) => void;
}): ReceiptWatch {
  const { receipts, stateDir, onWarning } = options;
  const held = new HeldReceipts();
  let readTo = -firstReadBytes;
  let turn = Promise.resolve();

  /** What came to the record since the last time, held against what was there. */
  async function readOn(): Promise<Finding[]> {
    const { receipts: arrived, end } = await receipts.readFrom(readTo);
    readTo = end;
    const now = Math.floor(Date.now() / 1_000);
    const recent = arrived.flatMap((stored) => holdReceipt(stored) ?? []).filter((receipt) => isRecent(receipt, now));
    return recent.flatMap((receipt) => held.add(receipt));
  }

  async function report(finding: Finding): Promise<void> {
    const { file, isNew } = await writeEvidence(stateDir, finding);
    // Of what was found before the owner knows.
    if (!isNew) return;
    onWarning(
      `The relay can be held to a fault: ${finding.reason}. The evidence is in ${file}; ` +
        `"autopay dispute open --evidence ${file}" claims the refund.`,
    );
  }

  /** Tells what is found, and never throws. */
  async function tell(callId: string, find: () => Promise<Finding[]>): Promise<void> {
    try {
      for (const finding of await find()) await report(finding);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      onWarning(
        `The receipt of call ${callId} could not be judged: ${reason} ` + '"autopay dispute find" does it again.',
      );
    }
  }

  return {
    judge(stored, findPriceFraud) {
      const { callId, problems } = stored;
      const own = problems.length === 0 ? undefined : holdReceipt(stored);
      // The chain may take its time, or never answer: no answer waits for it, this one or the next.
      if (own) void tell(callId, () => findPriceFraud(own));
      turn = turn.then(() => tell(callId, async () => [...(await readOn()), ...deliveryFaultsOf(own)]));
      return turn;
    },
  };
}

function deliveryFaultsOf(own: HeldReceipt | undefined): Finding[] {
  const finding = own && findWrongDelivery(own);
  return finding ? [finding] : [];
}
