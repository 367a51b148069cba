import { describe, expect, test } from 'vitest';
import { makeRoute } from '../call/call-fixtures.ts';
import { parseChatRequest } from '../call/parse-chat-request.ts';
import { plainDeployment, plainRoute, type DeploymentTerms, type RouteTerms } from '../call/routing-terms.ts';
import type { Route } from '../call/types.ts';
import { createRouteChooser } from './choose-routes.ts';
import { compileRule, type RuleConfig } from './compile-rules.ts';

interface RouteSpec {
  /** A multiple of the fixture's price; 0: free. */
  price?: number;
  terms?: Partial<RouteTerms>;
  deployments?: Partial<DeploymentTerms>[];
  contextTokens?: number;
  search?: boolean;
}

function route(
  model: string,
  { contextTokens = 128_000, deployments = [{}], price = 1, search = false, terms = {} }: RouteSpec,
): Route {
  const prices = makeRoute().prices?.map((row) => ({
    ...row,
    ...{ model, prompt: row.prompt * BigInt(price), completion: row.completion * BigInt(price) },
  }));
  return makeRoute({
    ...{
      model,
      contextTokens,
      search,
      prices: price === 0 ? null : (prices ?? null),
      terms: { ...plainRoute, ...terms },
    },
    deployments: deployments.map((one, at) => ({
      ...{ id: `${model}@${at}`, provider: 'p', model, terms: { ...plainDeployment, ...one } },
    })),
  });
}

function choose(
  specs: Record<string, RouteSpec>,
  ask: { body?: object; headers?: Record<string, string>; rules?: RuleConfig[] } = {},
) {
  const routes = new Map(Object.entries(specs).map(([model, spec]) => [model, route(model, spec)]));
  const body = Buffer.from(JSON.stringify({ model: 'a', messages: [{ role: 'user', content: 'Hi' }], ...ask.body }));
  const chooser = createRouteChooser({ routes, rules: (ask.rules ?? []).map(compileRule) });
  const choice = chooser({ asked: parseChatRequest(body), headers: ask.headers ?? {}, bodyBytes: body.length });
  const names = choice.routes.map(({ after, route: chosen }) => `${chosen.model}${after === null ? '' : `:${after}`}`);
  return { ...choice, names };
}

const fallbacks = (changes: Partial<RouteTerms['fallbacks']>): RouteSpec => ({
  terms: { fallbacks: { ...plainRoute.fallbacks, ...changes } },
});
const auto = (changes: NonNullable<RouteTerms['auto']> = {}): RouteSpec => ({
  ...{ deployments: [], terms: { auto: changes } },
});

describe('a model that is asked for by name', () => {
  test('is what is sold, with all its deployments', () => {
    const { names, routes, rule } = choose({ a: { deployments: [{}, {}] }, b: {} });
    expect(names).toEqual(['a']);
    expect(routes[0].deployments).toHaveLength(2);
    expect(rule).toBeNull();
  });

  test('has to be there', () => {
    expect(() => choose({ b: {} })).toThrow(expect.objectContaining({ code: 'model_not_found', param: 'model' }));
  });

  test('is answered by those of its deployments that have what the request needs', () => {
    const deployments = [{ tools: false }, { vision: false, region: 'eu' }, { region: 'us', tags: ['paid'] }];
    const idsOf = (ask: Parameters<typeof choose>[1]) =>
      choose({ a: { deployments } }, ask).routes[0].deployments.map(({ id }) => id);
    expect(idsOf({ body: { tools: [{ type: 'function', function: { name: 'f' } }] } })).toEqual(['a@1']);
    expect(idsOf({ headers: { 'x-autopay-region': 'eu' } })).toEqual(['a@1']);
    expect(idsOf({ headers: { 'x-autopay-tags': 'paid' } })).toEqual(['a@2']);
    const noneIn = { 'x-autopay-region': 'mars' };
    expect(() => idsOf({ headers: noneIn })).toThrow(expect.objectContaining({ code: 'model_not_found' }));
    expect(() => idsOf({ headers: { 'x-autopay-evidence-tier': 'holy' } })).toThrow('no such evidence tier');
  });
});

describe('evidence', () => {
  const tiers = ['relay-signed', 'provider-signed', 'tee-attested', 'commitment-checked'] as const;
  const deployments = tiers.map((evidenceTier) => ({ evidenceTier }));
  const chosen = (...asked: Parameters<typeof choose>) =>
    choose(...asked).routes.map(({ deployments: found, minimumTiers, route: { model } }) => [
      ...[model, found.map(({ id }) => id.split('@')[1]).join(''), minimumTiers],
    ]);

  test('that the client demands, or the route, is had of those that can show it, and is demanded of their answers', () => {
    const demand = (tier: string) => ({ headers: { 'x-autopay-evidence-tier': tier } });
    expect(chosen({ a: { deployments } })).toEqual([['a', '0123', undefined]]);
    expect(chosen({ a: { deployments } }, demand('relay-signed'))).toEqual([['a', '0123', undefined]]);
    expect(chosen({ a: { deployments } }, demand('provider-signed'))).toEqual([['a', '12', ['provider-signed']]]);
    expect(chosen({ a: { deployments } }, demand('commitment-checked'))).toEqual([['a', '3', ['commitment-checked']]]);
    const strict = { deployments, terms: { minimumEvidenceTier: 'provider-signed' } } as const;
    expect(chosen({ a: strict })).toEqual([['a', '12', ['provider-signed']]]);
    expect(chosen({ a: strict }, demand('tee-attested'))).toEqual([['a', '2', ['tee-attested', 'provider-signed']]]);
    expect(() => chosen({ a: strict }, demand('commitment-checked'))).toThrow(
      expect.objectContaining({ code: 'model_not_found' }),
    );
  });

  test('that the first route demands holds for what answers in its place, and that of a fallback too', () => {
    const terms = {
      minimumEvidenceTier: 'provider-signed',
      fallbacks: { ...plainRoute.fallbacks, general: ['b', 'c'] },
    } as const;
    const specs = {
      a: { deployments, terms },
      b: { deployments: [{}] },
      c: { deployments, terms: { minimumEvidenceTier: 'tee-attested' } },
    } as const;
    expect(chosen(structuredClone(specs) as unknown as Parameters<typeof choose>[0])).toEqual([
      ...[
        ['a', '12', ['provider-signed']],
        ['c', '2', ['provider-signed', 'tee-attested']],
      ],
    ]);
    expect(chosen({ a: auto({ evidenceTier: 'tee-attested' }), c: { deployments } })).toEqual([
      ['c', '2', ['tee-attested']],
    ]);
  });

  test('that a rule’s first target demands holds for the others too, which answer in its place', () => {
    const signed = { minimumEvidenceTier: 'provider-signed' } as const;
    const rules: RuleConfig[] = [{ name: 'sensitive', targets: ['b', 'c', 'd'], when: { models: ['a'] } }];
    const d = { deployments, terms: { minimumEvidenceTier: 'tee-attested' } } as const;
    expect(chosen({ a: {}, b: { deployments, terms: signed }, c: { deployments }, d }, { rules })).toEqual([
      ['b', '12', ['provider-signed']],
      ['c', '12', ['provider-signed']],
      ['d', '2', ['provider-signed', 'tee-attested']],
    ]);
    // Also where the first has nothing for this request; and what the route that was asked for demands holds for all.
    const inEurope = { rules, headers: { 'x-autopay-region': 'eu' } };
    const european = deployments.map((one) => ({ ...one, region: 'eu' }));
    expect(
      chosen({ a: { terms: signed }, b: { deployments, terms: d.terms }, c: { deployments: european }, d }, inEurope),
    ).toEqual([['c', '2', ['provider-signed', 'tee-attested']]]);
    // Of a target that stands for others, what it demands of them.
    const specs = {
      a: {},
      b: auto({ evidenceTier: 'tee-attested', among: ['c'] }),
      c: { deployments },
      d: { deployments },
    };
    expect(chosen(specs, { rules })).toEqual([
      ['c', '2', ['tee-attested']],
      ['d', '2', ['tee-attested']],
    ]);
    const none = { a: {}, b: { deployments: [{}], terms: signed }, c: { deployments: [{}] }, d: { deployments: [{}] } };
    expect(() => chosen(none, { rules })).toThrow(/needs \(evidence: provider-signed\)/);
  });
});

describe('fallbacks', () => {
  test('are those of the request, then those of the route, each once for each reason', () => {
    const specs = {
      a: fallbacks({ general: ['c', 'b'], context_window: ['d', 'c'], content_policy: ['b'] }),
      ...{ b: {}, c: {}, d: {} },
    };
    expect(choose(specs, { body: { fallback_models: ['b', 'a'] } }).names).toEqual([
      ...['a', 'b:general', 'c:general', 'd:context_window', 'c:context_window', 'b:content_policy'],
    ]);
  });

  test('of the request have to be models, and free ones where the model is free', () => {
    const named = (name: string) => ({ body: { fallback_models: [name] } });
    expect(() => choose({ a: {} }, named('x'))).toThrow(
      expect.objectContaining({ code: 'model_not_found', param: 'fallback_models[0]' }),
    );
    expect(() => choose({ a: { price: 0 }, b: {} }, named('b'))).toThrow('free models only');
    expect(choose({ a: {}, b: { price: 0 } }, named('b')).names).toEqual(['a', 'b:general']);
  });

  test('are left out where they do not have what the request needs', () => {
    const specs = { a: fallbacks({ general: ['b', 'c'] }), b: { deployments: [{ tools: false }] }, c: {} };
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(choose(specs, { body: { tools } }).names).toEqual(['a', 'c:general']);
  });

  test('are bounded', () => {
    const names = Array.from({ length: 20 }, (_, index) => `f${index}`);
    const specs = { a: fallbacks({ general: names }), ...Object.fromEntries(names.map((name) => [name, {}])) };
    expect(choose(specs).names).toHaveLength(12);
  });
});

describe('auto', () => {
  const body = { model: 'auto' };

  test('is the cheapest that meets what the request needs, and the next ones after it', () => {
    const specs = {
      auto: auto(),
      dear: { price: 9 },
      cheap: { price: 1, deployments: [{ tools: false }] },
      ...{ middle: { price: 2 }, free: { price: 0 }, dearest: { price: 99 } },
    };
    expect(choose(specs, { body }).names).toEqual(['cheap', 'middle:general', 'dear:general']);
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(choose(specs, { body: { ...body, tools } }).names).toEqual(['middle', 'dear:general', 'dearest:general']);
  });

  test('takes a model that sells searches where one is asked for', () => {
    const specs = { auto: auto(), cheap: { price: 1 }, searching: { price: 2, search: true } };
    expect(choose(specs, { body: { ...body, search: true } }).names).toEqual(['searching']);
    const none = { auto: auto(), cheap: { price: 1 } };
    expect(() => choose(none, { body: { ...body, search: true } })).toThrow(/search: true/);
  });

  test('takes no model whose context may be too small', () => {
    const specs = { auto: auto(), small: { price: 1, contextTokens: 1_000 }, large: { price: 5 } };
    const messages = [{ role: 'user', content: 'x'.repeat(2_000) }];
    expect(choose(specs, { body }).names).toEqual(['small', 'large:general']);
    expect(choose(specs, { body: { ...body, messages } }).names).toEqual(['large']);
  });

  test('keeps to what its operator says', () => {
    const specs = {
      ...{
        b: { price: 1 },
        c: { price: 2, deployments: [{ region: 'eu' }] },
        d: { price: 3, deployments: [{ region: 'eu' }] },
      },
      auto: auto({ region: 'eu', among: ['b', 'd'] }),
    };
    expect(choose(specs, { body }).names).toEqual(['d']);
  });

  test('says so if nothing meets the needs', () => {
    const specs = { auto: auto({ evidenceTier: 'tee-attested' }), b: {} };
    expect(() => choose(specs, { body })).toThrow(expect.objectContaining({ code: 'model_not_found' }));
  });

  test('the same request has the same choice: it is quoted before it is paid for', () => {
    const specs = { auto: auto(), b: { price: 2 }, c: { price: 2 }, d: { price: 2 } };
    for (let call = 0; call < 5; call += 1) expect(choose(specs, { body }).names[0]).toBe('b');
  });
});

describe('rules', () => {
  const legal: RuleConfig = { name: 'legal_docs', when: { keywords: ['contract'] }, targets: ['opus', 'legal'] };
  const specs = { auto: auto({ among: ['cheap'] }), cheap: {}, opus: {}, legal: {}, a: {} };
  const ask = (model: string, content: string, rules = [legal]) =>
    choose(specs, { body: { model, messages: [{ role: 'user', content }] }, rules });

  test('send what they match to their targets, in that order, and say which they were', () => {
    expect(ask('auto', 'Check this contract')).toMatchObject({ names: ['opus', 'legal:general'], rule: 'legal_docs' });
    expect(ask('auto', 'Hello')).toMatchObject({ names: ['cheap'], rule: null });
  });

  test('replace no model that was asked for by name, unless they name it', () => {
    expect(ask('a', 'Check this contract')).toMatchObject({ names: ['a'], rule: null });
    const named = { ...legal, when: { ...legal.when, models: ['a'] } };
    expect(ask('a', 'Check this contract', [named])).toMatchObject({ names: ['opus', 'legal:general'] });
  });

  test('the first that matches wins', () => {
    const first = { name: 'first', when: { tags: ['t'] }, targets: ['legal'] };
    const rules = [first, legal];
    const body = { model: 'auto', messages: [{ role: 'user', content: 'contract' }], metadata: { tags: ['t'] } };
    expect(choose(specs, { body, rules }).rule).toBe('first');
    expect(choose(specs, { body: { ...body, metadata: {} }, rules }).rule).toBe('legal_docs');
  });
});
