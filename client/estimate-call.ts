import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { estimateQuote, type ChatCall, type QuoteEstimate } from './estimate-quote.ts';
import type { Wallet } from './open-wallet.ts';

/**
 * What a call can cost by the published prices, in the wallet's token.
 * @param isFresh asks the relay for them again.
 * @throws AutoPayError `model_not_found`, or what finding the prices throws.
 */
export async function estimateCall(wallet: Wallet, call: ChatCall, isFresh = false): Promise<QuoteEstimate> {
  const { tariffs } = await wallet.connect();
  const catalogue = await wallet.catalogue(isFresh);
  const model = catalogue.models.get(call.model);
  if (!model) throw new AutoPayError('model_not_found', `The relay no longer sells "${call.model}".`);
  return estimateQuote(call, { model, tariff: await tariffs.current(catalogue, model) });
}
