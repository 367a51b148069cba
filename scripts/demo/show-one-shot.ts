import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireReceipt, toSignedReceiptStruct } from '../../client/disputes/build-evidence.ts';
import type { Evidence, SignedReceiptStruct } from '../../client/disputes/evidence-schema.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { readSettings } from '../../fsck/read-settings.ts';
import { provePriceRow } from '../../protocol/pricing/price-tree.ts';
import { costOfUsage } from '../../protocol/pricing/token-prices.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { USDC } from './demo-settings.ts';
import { autopay, moving, newestDispute, penaltyOf, type DisputeScene } from './dispute-scene.ts';
import { signFalsely } from './sign-falsely.ts';

/** Receipts of calls that the relay is going to contradict. */
export interface CheatedCalls {
  /** A second receipt is signed for its place in the channel. */
  duplicated: CallReceipt;
  /** Its receipt is signed anew with more than price times tokens. */
  overcharged: CallReceipt;
}

/** One-shot: the chain sees the contradiction, and refunds at once. */
export async function showOneShot(scene: DisputeScene, { duplicated, overcharged }: CheatedCalls): Promise<void> {
  const { demo, stack } = scene;
  const dearer = { ...duplicated, amount: duplicated.amount + duplicated.amount / 2n };
  const doubled = { ...overcharged, amount: overcharged.amount * 2n };
  const [second, overcharge] = await demo.step(
    "one-shot: the relay signs two false statements (by hand, with the relay's key: its software signs none)",
    async () => {
      demo.say(`   for sequence ${dearer.sequence}, ${show(dearer.amount)} too, besides ${show(duplicated.amount)}`);
      demo.say(`   for sequence ${doubled.sequence}, ${show(doubled.amount)} for tokens that cost half of it`);
      const signed = requireTwo(await signFalsely(stack, [dearer, doubled]));
      demo.say(`   one signature over both, as a batch with root ${signed[0].batch.root}`);
      return signed;
    },
  );

  await demo.step('two receipts for one call: refund and penalty at once', async () => {
    const receipts = openReceiptStore(join(stack.dataDir, 'client'));
    const { stored } = await requireReceipt(receipts, duplicated.callId);
    const one = toSignedReceiptStruct(stored);
    await disputeAtOnce(scene, { kind: 'duplicate-sequence', one, other: second }, dearer.amount);
  });
  await demo.step('an amount that is not price × tokens: refund of the excess, and a penalty', async () => {
    const { rows } = await readSettings(stack.dataDir);
    const proven = provePriceRow(rows, { model: doubled.modelAsked, token: doubled.token });
    if (proven === undefined) throw new Error(`the price table has no row for ${doubled.modelAsked}`);
    const excess = doubled.amount - costOfUsage(doubled.usage, { prices: proven.row, conversion: null });
    demo.say(`   row ${proven.index} of ${proven.size} of the published table ${doubled.priceRoot}`);
    await disputeAtOnce(scene, { kind: 'overcharge', receipt: overcharge, proven }, excess);
  });
}

/** An evidence file's content; amounts become decimal strings. */
interface Evidenced {
  kind: Evidence['kind'];
  [member: string]: unknown;
}

/** Opens a dispute with an evidence file, and requires that the payer is refunded in the same transaction. */
async function disputeAtOnce(scene: DisputeScene, { kind, ...members }: Evidenced, refund: bigint): Promise<void> {
  const file = join(scene.demo.folder, `${kind}.json`);
  await writeFile(
    file,
    JSON.stringify({ kind, ...members }, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  );
  const penalty = penaltyOf(scene, refund);
  await moving(scene, { payer: refund, relayBond: -refund - penalty, burned: penalty }, () =>
    autopay(scene, 'dispute', 'open', '--evidence', file, '--yes'),
  );
  const dispute = await newestDispute(scene, 'upheld');
  if (dispute.refunded !== refund || dispute.burned !== penalty) throw new Error('the events say other amounts');
}

function requireTwo(signed: SignedReceiptStruct[]): [SignedReceiptStruct, SignedReceiptStruct] {
  const [one, other] = signed;
  if (one === undefined || other === undefined) throw new Error('two statements were to be signed');
  return [one, other];
}

const show = (amount: bigint): string => formatAmount(amount, USDC);
