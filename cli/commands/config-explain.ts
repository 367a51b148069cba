import { formatAmount, type TokenUnit } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/** What is shown of a route; amounts are for 1,000,000 tokens (`request`: for a call). */
interface Explanation {
  model: string;
  strategy: string;
  isAuto: boolean;
  /** Of a plain request, where `isAuto`: the cheapest first. */
  cheapest: readonly string[];
  /** Rules that may send its requests elsewhere; the first match wins. */
  rules: readonly { name: string; targets: readonly string[] }[];
  isFree: boolean;
  deployments: readonly { id: string; model: string; baseUrl: string; order: number; weight: number | null }[];
  fallbacks: readonly { reason: string; models: readonly string[] }[];
  contextTokens: number;
  maxOutputTokens: number;
  defaultMaxOutputTokens: number;
  prices: readonly {
    paidIn: string;
    unit: TokenUnit;
    prompt: bigint;
    cachedPrompt: bigint;
    completion: bigint;
    request: bigint;
  }[];
  priceCeiling: { perMillion: bigint; unit: TokenUnit } | null;
}

/**
 * Shows what a relay with this configuration would do with a model's calls.
 * @throws AutoPayError `invalid_configuration`; `model_not_found`
 */
export async function runConfigExplain(
  context: CommandContext,
  { model, file }: { model: string; file?: string | undefined },
): Promise<void> {
  const [{ findConfig }, { loadConfig }, { explainRoute }] = await Promise.all([
    import('../../server/config/find-config.ts'),
    import('../../server/config/load-config.ts'),
    import('../../server/config/explain-route.ts'),
  ]);
  const found = await findConfig(context.dataDir, file);
  const config = await loadConfig(found.file, { imports: found.imports });
  const explanation = explainRoute(config, model);
  if (!explanation) {
    const names = config.routes.map((route) => route.model).join(', ');
    throw new AutoPayError('model_not_found', `There is no route ${model}. There are ${names}.`);
  }
  const cheapest = explanation.cheapest.flatMap((name) => explainRoute(config, name) ?? []);
  context.print({ json: explanation, text: [explanation, ...cheapest].map(describe).join('\n') });
}

function describe(route: Explanation): string {
  const { cheapest, deployments, fallbacks, rules } = route;
  const rows = deployments.map(({ id, model, baseUrl, order, weight }, index) => [
    ...[String(index + 1), id, model, baseUrl],
    weight === null ? `order ${order}` : `order ${order}, weight ${weight}`,
  ]);
  const who = route.isAuto
    ? `the cheapest route that has what a request needs; of a plain one ${cheapest.join(', then ') || 'none'}`
    : `${rows.length} deployment(s), ${route.strategy}`;
  const then = fallbacks.map(({ reason, models }) => `${models.join(', ')} (${reason})`).join('; ');
  const lines = [
    `${route.model}: ${who}`,
    ...(then === '' ? [] : [`then ${then}`]),
    ...rules.map(({ name, targets }) => `rule ${name}, where it matches: ${targets.join(', then ')}`),
  ];
  // What stands for others has no bounds and no price of its own.
  if (route.isAuto) return `${lines.join('\n')}\n`;
  lines.push(
    `context ${route.contextTokens} tokens, output at most ${route.maxOutputTokens}, ${route.defaultMaxOutputTokens} if the client says nothing`,
  );
  const table = rows.length > 0 ? formatTable([['', 'deployment', 'model there', 'endpoint', 'routing'], ...rows]) : '';
  return `${lines.join('\n')}\n\n${table}\n${describePrices(route)}`;
}

function describePrices({ isFree, priceCeiling, prices }: Explanation): string {
  if (isFree) return 'free\n';
  const rows = prices.map(({ paidIn, unit, prompt, cachedPrompt, completion, request }) => [
    paidIn,
    ...[prompt, cachedPrompt, completion, request].map((amount) => formatAmount(amount, unit)),
  ]);
  const bound = priceCeiling
    ? `\nat most ${formatAmount(priceCeiling.perMillion, priceCeiling.unit)} for 1,000,000 tokens\n`
    : '';
  return `${formatTable([['paid in', 'prompt / 1M', 'cached / 1M', 'completion / 1M', 'each call'], ...rows])}${bound}`;
}
