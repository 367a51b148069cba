import type { PriceFile } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import type { ConfigIssue } from './report-issues.ts';

/** Gives routes without a price the one that `prices` has for them. What is wrong is pushed to `issues`. */
export function applyPrices<File extends Pick<PriceFile, 'prices' | 'routes'>>(
  file: File,
  issues: ConfigIssue[],
): File {
  const names = file.routes.map(({ model }) => model);
  for (const name of Object.keys(file.prices)) {
    if (names.includes(name)) continue;
    const nearest = nearestName(name, names);
    issues.push({ path: ['prices', name], message: `is no route${nearest ? `; did you mean "${nearest}"?` : ''}` });
  }
  const routes = file.routes.map((route) => {
    const price = Object.hasOwn(file.prices, route.model) ? file.prices[route.model] : undefined;
    if (price === undefined) return route;
    if (route.price || route.free) {
      issues.push({ path: ['prices', route.model], message: 'is said at the route already; remove one of them' });
    }
    return 'free' in price ? { ...route, free: true } : { ...route, price };
  });
  return { ...file, routes };
}
