import { expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { boundCall } from '../metering/quote-call.ts';
import { limits, makeRoute } from './call-fixtures.ts';
import { prepareCall } from './prepare-call.ts';
import type { ChooseRoutes } from './route-choice.ts';
import type { Route } from './types.ts';

const routes: Route[] = [
  makeRoute(),
  makeRoute({ model: 'grok', search: true }),
  makeRoute({ model: 'also', search: true }),
];
const [plain, grok, also] = routes;

function prepare(order: readonly (Route | undefined)[], changes: object) {
  const [first, ...others] = order.flatMap((route) => (route ? [{ route, deployments: route.deployments }] : []));
  if (!first) throw new Error('there is a route');
  const chooseRoutes: ChooseRoutes = () => ({
    routes: [{ ...first, after: null }, ...others.map((one) => ({ ...one, after: 'general' as const }))],
    rule: null,
  });
  const body = Buffer.from(JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'hi' }], ...changes }));
  return prepareCall({ limits, chooseRoutes }, { body, headers: {}, path: '/v1/chat/completions' });
}

function faultOf(work: () => unknown): AutoPayError {
  try {
    work();
  } catch (error) {
    if (error instanceof AutoPayError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('a search is sold by routes that say so, their fallbacks too; its prompt may fill the context', () => {
  const { options } = prepare([grok, plain, also], { search: true });
  expect(options.map(({ route }) => route.model)).toEqual(['grok', 'also']);
  expect(boundCall(options[0].quoteInput).promptTokens).toBe(128_000);
});

test('elsewhere it is refused by its name', () => {
  const asked = { search_parameters: { mode: 'on' } };
  expect(faultOf(() => prepare([plain, grok], asked))).toMatchObject({
    code: 'unsupported_parameter',
    message: '"search_parameters" is not supported by "small": no price of it covers a search. Leave it out.',
  });
  expect(prepare([plain], { search: false }).options).toHaveLength(1);
});
