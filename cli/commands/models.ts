import { fetchCatalogue } from '../../client/fetch-catalogue.ts';
import { fetchRelayTerms } from '../../client/fetch-relay-terms.ts';
import { formatAmount } from '../../client/token-amount.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/** Lists what the relay sells; no key is needed. */
export async function runModels(context: CommandContext): Promise<void> {
  const { relayUrl } = await context.stack();
  const { token } = await fetchRelayTerms({ relayUrl, fetch });
  const { models, priceRoot } = await fetchCatalogue({ relayUrl, fetch });
  const rows = [...models.values()].map((model) => [
    model.id,
    model.free ? 'free' : formatAmount(model.prices.prompt, token),
    model.free ? 'free' : formatAmount(model.prices.completion, token),
    String(model.contextTokens),
    String(model.maxOutputTokens),
  ]);
  context.print({
    json: { relayUrl, priceRoot, token, models: [...models.values()] },
    text: formatTable([['model', 'prompt / 1M tokens', 'completion / 1M tokens', 'context', 'most output'], ...rows]),
  });
}
