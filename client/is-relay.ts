import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Wallet } from './open-wallet.ts';

/**
 * Whether what listens at the wallet's URL is a relay, by its `GET /healthz`. One with which the wallet has channels, or whose receipts it
 * has, is taken for one whatever it answers: a relay that hides what it is must not be paid without receipts.
 * @throws AutoPayError what connecting to a relay throws; what `fetch` throws if nothing answers.
 */
export async function isRelay(wallet: Wallet): Promise<boolean> {
  try {
    await wallet.connect();
    return true;
  } catch (error) {
    if (!(error instanceof AutoPayError) || error.facts['isOtherService'] !== true) throw error;
    const [{ channels }, receipts] = await Promise.all([wallet.state.read(), wallet.receipts.list()]);
    if ([...channels, ...receipts].some(({ relayUrl }) => relayUrl === wallet.relayUrl)) throw error;
    wallet.warn(
      `${wallet.relayUrl} is no AutoPayLLM relay. Calls are paid by x402 where it asks for that, without receipts, within your limits.`,
    );
    return false;
  }
}
