import { unitOfToken } from '../client/chain/open-deployment.ts';
import { formatShort } from '../client/token-amount.ts';
import type { Deployment } from '../protocol/deployment/deployment-schema.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { formatTable } from './output.ts';

/** Prices in US dollars have 8 decimals (contracts/types/PriceRow.sol). */
const usdUnit = { symbol: 'USD', decimals: 8 };

/** Parts of a prompt or a completion, which can have prices of their own. */
const parts = [
  ['cached prompt', 'cachedPrompt', 'prompt'],
  ['cache write', 'cacheWrite', 'prompt'],
  ['audio prompt', 'audioPrompt', 'prompt'],
  ['audio completion', 'audioCompletion', 'completion'],
] as const;

/**
 * A price table for people: one line per row. A part is named where its price is another than that of the whole, so that no
 * price goes unseen.
 */
export function formatPrices(deployment: Deployment, rows: readonly PriceRow[]): string {
  const listed = rows.map((row) => {
    const token = unitOfToken(deployment, row.token);
    const money = (price: bigint): string => formatShort(price, row.inUsd ? usdUnit : token);
    const own = parts
      .filter(([, part, whole]) => row[part] !== row[whole])
      .map(([name, part]) => `${name} ${money(row[part])}`);
    const whole = [row.prompt, row.completion, row.request].map(money);
    return [`  ${row.model}`, token.symbol, ...whole, own.join(', ')];
  });
  const heads = [
    '  model',
    'paid in',
    'prompt / 1M tokens',
    'completion / 1M tokens',
    'per call',
    'of these, / 1M tokens',
  ];
  return formatTable([heads, ...listed]);
}
