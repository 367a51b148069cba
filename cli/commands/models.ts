import { fetchCatalogue } from '../../client/fetch-catalogue.ts';
import { fetchRelayTerms } from '../../client/fetch-relay-terms.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { usdDecimals } from '../../protocol/pricing/token-prices.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/**
 * Lists what the relay sells, with the prices in one token; no key is needed.
 * @throws AutoPayError `invalid_argument` if the relay does not take that token.
 */
export async function runModels(context: CommandContext, options: { token?: string }): Promise<void> {
  const { relayUrl } = await context.stack();
  const { tokens } = await fetchRelayTerms({ relayUrl, fetch });
  const symbol = options.token?.toUpperCase() ?? tokens[0]?.symbol.toUpperCase();
  const token = tokens.find((candidate) => candidate.symbol.toUpperCase() === symbol);
  if (!token) {
    const taken = tokens.map((candidate) => candidate.symbol).join(', ');
    throw new AutoPayError('invalid_argument', `The relay does not take ${options.token}. It takes ${taken}.`);
  }
  const { models, priceRoot } = await fetchCatalogue({ relayUrl, fetch });
  const rows = [...models.values()].map((model) => {
    const row = model.rows.find((candidate) => candidate.token === token.address);
    const unit = row?.inUsd ? { symbol: 'USD', decimals: usdDecimals } : token;
    const without = model.free ? 'free' : `not in ${token.symbol}`;
    return [
      model.id,
      row ? formatAmount(row.prompt, unit) : without,
      row ? formatAmount(row.completion, unit) : without,
      String(model.contextTokens),
      String(model.maxOutputTokens),
    ];
  });
  context.print({
    json: { relayUrl, priceRoot, token, tokens, models: [...models.values()] },
    text: formatTable([['model', 'prompt / 1M tokens', 'completion / 1M tokens', 'context', 'most output'], ...rows]),
  });
}
