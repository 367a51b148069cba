import type { ReceiptStore, StoredReceipt } from '../receipt-store.ts';
import { HeldReceipts } from './find-contradictions.ts';
import { findWrongDelivery } from './find-wrong-price.ts';
import { holdReceipt, type Finding, type HeldReceipt } from './held-receipt.ts';
import { writeEvidence } from './write-evidence.ts';

/** So much of the record is read when the wallet starts: some thousands of receipts, more than can be in flight. */
const firstReadBytes = 4_194_304;

/** Finds what a relay's receipts prove against it, as they come. */
export interface ReceiptWatch {
  /**
   * Judges a receipt that is in the record by now, against all that are: also those that other processes of the same folder
   * have put there. What is found is written down, and the owner is warned. It never throws: the answer is paid for.
   * @param findPriceFraud asked only where something did not fit.
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
    return arrived.flatMap((stored) => holdReceipt(stored) ?? []).flatMap((receipt) => held.add(receipt));
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

  async function judgeInTurn(
    stored: StoredReceipt,
    findPriceFraud: (receipt: HeldReceipt) => Promise<Finding[]>,
  ): Promise<void> {
    try {
      const findings = await readOn();
      const own = stored.problems.length === 0 ? undefined : holdReceipt(stored);
      if (own) {
        const others = [...(await findPriceFraud(own)), findWrongDelivery(own)];
        findings.push(...others.flatMap((finding) => finding ?? []));
      }
      for (const finding of findings) await report(finding);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      onWarning(
        `The receipt of call ${stored.callId} could not be held against the others: ${reason} ` +
          '"autopay dispute find" does it again.',
      );
    }
  }

  return {
    judge(stored, findPriceFraud) {
      turn = turn.then(() => judgeInTurn(stored, findPriceFraud));
      return turn;
    },
  };
}
