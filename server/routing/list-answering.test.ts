import { expect, test } from 'vitest';
import { makeRoute } from '../call/call-fixtures.ts';
import { plainRoute, type RouteTerms } from '../call/routing-terms.ts';
import type { Route } from '../call/types.ts';
import { listAnswering } from './list-answering.ts';

const route = (model: string, terms: Partial<RouteTerms> = {}, changes: Partial<Route> = {}): Route =>
  makeRoute({ model, terms: { ...plainRoute, ...terms }, ...changes });
const backed = (...general: string[]) => ({ fallbacks: { ...plainRoute.fallbacks, general } });

test('lists every model that a receipt may be for, and no other', () => {
  const all = [
    route('plain'),
    route('backed', backed('other')),
    route('other'),
    route('free', {}, { prices: null }),
    route('auto', { auto: {} }, { prices: [], deployments: [] }),
    route('some', { auto: { among: ['backed'] } }, { prices: [], deployments: [] }),
    route('legal'),
  ];
  const routes = new Map(all.map((one) => [one.model, one]));
  const rules = [
    { when: {}, targets: ['legal'] },
    { when: { models: ['other'] }, targets: ['plain'] },
  ];
  const named = (model: string) => listAnswering(routes.get(model) ?? route(model), { routes, rules });
  expect(named('plain')).toEqual([]);
  expect(named('backed')).toEqual(['other']);
  expect(named('other')).toEqual(['plain']);
  expect(named('some')).toEqual(['legal', 'backed', 'other']);
  expect(named('auto')).toEqual(['legal', 'plain', 'backed', 'other']);
  const cache = { ttlMs: 1, scope: 'payer' as const, model: 'other@cache', prices: [] };
  routes.set('other', route('other', {}, { cache }));
  expect(named('backed')).toEqual(['other', 'other@cache']);
  expect(named('other')).toEqual(['plain', 'other@cache']);
});
