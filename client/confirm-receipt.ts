import type { Hex } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { createBriefAsker } from './chain/ask-briefly.ts';
import type { WalletChain } from './open-channel.ts';

/** What the chain said of a time is taken as true for so long after it; then it is asked again. */
const confirmedForMs = 60_000;
/** Price tables that are remembered; whoever changes them faster is asked about more often. */
const maxRemembered = 16;

/** A receipt with what the chain can say of it. */
export interface ReceiptToConfirm {
  receipt: Pick<CallReceipt, 'amount' | 'priceRoot' | 'admittedAtMs'>;
  signedAtMs: number;
}

/**
 * Finds out what is wrong in a receipt by the chain: in words; nothing if all is well. It does not throw: of a chain that cannot
 * be asked the owner is warned, and the receipt stays without fault.
 */
export type ReceiptConfirmer = (receipt: ReceiptToConfirm) => Promise<string[]>;

/**
 * Makes the confirmer of a wallet: judges as BillingDisputes does, so that what the wallet accepts is what it can dispute by. The
 * receipt has to be signed with a key that KeyRegistry had for the time of the signature, and its price table has to be one
 * that PriceBook had in force when the call was admitted.
 * @param options.chain without one, nothing is confirmed and nothing found
 */
export function createReceiptConfirmer(options: {
  relay: Hex;
  chain: Pick<WalletChain, 'isReceiptKey' | 'isInForce'> | undefined;
  onWarning: (message: string) => void;
}): ReceiptConfirmer {
  const { relay, chain, onWarning } = options;
  if (!chain) return () => Promise.resolve([]);
  // The answer waits for this.
  const askBriefly = createBriefAsker();
  const isValidKey = rememberYes((_, at) => askBriefly(() => chain.isReceiptKey(relay, at)));
  const isInForce = rememberYes((root, at) => askBriefly(() => chain.isInForce(root, at)));
  return async ({ receipt, signedAtMs }) => {
    const problems: string[] = [];
    const signed = await isValidKey(relay, signedAtMs);
    if (signed === undefined) onWarning(`The chain could not be asked whether ${relay} signs receipts.`);
    if (signed === false) problems.push(`KeyRegistry did not have its signer ${relay} as a receipt key at that time`);
    if (receipt.amount === 0n) return problems;
    const { priceRoot } = receipt;
    const published = await isInForce(priceRoot, receipt.admittedAtMs);
    if (published === undefined) onWarning(`The chain could not be asked for the price table ${priceRoot}.`);
    if (published === false) problems.push(`PriceBook did not have its price table ${priceRoot} in force at that time`);
    return problems;
  };
}

/**
 * Asks once for a while. A chain that cannot be asked must not cost the receipt: then what it confirmed before has to do.
 * @returns true or false by the chain; undefined if it cannot be asked and never confirmed it
 */
function rememberYes(
  ask: (what: Hex, atSeconds: number) => Promise<boolean>,
): (what: Hex, atMs: number) => Promise<boolean | undefined> {
  const confirmedAtMs = new Map<Hex, number>();
  return async (what, atMs) => {
    const last = confirmedAtMs.get(what);
    if (last !== undefined && atMs >= last && atMs < last + confirmedForMs) return true;
    let isSo: boolean;
    try {
      isSo = await ask(what, Math.floor(atMs / 1_000));
    } catch {
      return last === undefined ? undefined : true;
    }
    confirmedAtMs.delete(what);
    if (!isSo) return false;
    confirmedAtMs.set(what, atMs);
    const oldest = confirmedAtMs.keys().next();
    if (confirmedAtMs.size > maxRemembered && !oldest.done) confirmedAtMs.delete(oldest.value);
    return true;
  };
}
