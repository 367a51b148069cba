import { fallbackReasons, plainRoute } from '../call/routing-terms.ts';
import type { Route } from '../call/types.ts';
import { mayStandFor } from './choose-auto.ts';
import type { RuleConfig } from './compile-rules.ts';

/**
 * The models that a call for `route` may be answered, and so be charged, as, beside its own and those that its request names: its
 * fallbacks, the targets of the rules for it, what `auto` may choose, and the names by which cached answers of all these are sold.
 */
export function listAnswering(
  route: Route,
  { routes, rules }: { routes: ReadonlyMap<string, Route>; rules: readonly Pick<RuleConfig, 'when' | 'targets'>[] },
): string[] {
  const { auto } = route.terms ?? plainRoute;
  const applying = rules.filter(({ when }) => when.models?.includes(route.model) ?? auto !== null);
  const starts = applying.flatMap(({ targets }) => targets);
  if (auto) {
    const priced = [...routes.values()].filter((one) => mayStandFor(one, undefined));
    starts.push(...(auto.among ?? priced.map(({ model }) => model)));
  }
  const fallbacksOf = (name: string) => {
    const { fallbacks } = routes.get(name)?.terms ?? plainRoute;
    return fallbackReasons.flatMap((reason) => fallbacks[reason]);
  };
  const names = [...starts, ...[route.model, ...starts].flatMap(fallbacksOf)];
  const others = [...new Set(names)].filter((name) => name !== route.model);
  const cached = [route, ...others.map((name) => routes.get(name))].flatMap((one) => one?.cache?.model ?? []);
  return [...others, ...cached];
}
