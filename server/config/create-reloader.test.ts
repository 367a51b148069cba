import { describe, expect, test, vi } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createReloader } from './create-reloader.ts';
import { listFixedChanges } from './list-fixed-changes.ts';
import { parseConfig } from './load-config.ts';
import type { RelayConfig } from './relay-config.ts';

const contracts = [
  ...['auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry', 'paymentDesk', 'billingDisputes', 'agpt'],
  ...['governor', 'timelock', 'paymentChannels', 'autoPayLLM'],
].map((name) => `${name}: "0x${'3'.repeat(40)}"`);
const text = `
chain: { id: 31337, rpcUrl: http://127.0.0.1:1, deployedAtBlock: 1 }
contracts: { ${contracts.join(', ')} }
tokens: [{ symbol: USDC, address: "0x${'4'.repeat(40)}", decimals: 6 }]
providers: [{ name: p, baseUrl: http://127.0.0.1:2/v1 }]
routes: [{ model: m, deployments: [{ provider: p, model: x }], price: { prompt: "1", completion: "2" } }]
`;
const configOf = (from = '', to = '') => {
  expect(text).toContain(from);
  return parseConfig(text.replace(from, to), 'autopay.yaml', { env: {} });
};

describe('what a running relay takes over', () => {
  test.each([
    ['another price', '"1"', '"3"'],
    ['another endpoint', '127.0.0.1:2', '127.0.0.1:3'],
    ['another route', 'model: m,', 'model: n,'],
    ['the time of a call', 'tokens:', 'limits: { callTimeoutMs: 5000 }\ntokens:'],
    ['what each wallet may spend', 'tokens:', 'payment: { payerBudget: { amount: "5" } }\ntokens:'],
  ])('%s', (_, from, to) => expect(listFixedChanges(configOf(), configOf(from, to))).toEqual([]));

  test.each([
    ['the chain', 'id: 31337', 'id: 31338', ['chain.confirmations', 'chain.id']],
    ['its endpoint', '127.0.0.1:1,', '127.0.0.1:9,', ['chain.rpcUrl']],
    [
      'how a provider is paid',
      'http://127.0.0.1:2/v1 }',
      'http://127.0.0.1:2/v1, auth: { type: x402, maxPerCall: "1", maxPerDay: "2" } }',
      ['providers.auth'],
    ],
    ['where it listens', 'tokens:', 'listen: { port: 5 }\ntokens:', ['listen.port']],
    ['how it is paid', 'tokens:', 'payment: { maxUnsettledPercent: 5 }\ntokens:', ['payment.maxUnsettledPercent']],
    ['a contract', `autoPayLLM: "0x3`, `autoPayLLM: "0x5`, ['contracts.autoPayLLM']],
    ['a token', 'symbol: USDC', 'symbol: EURC', ['priceCurrency', 'tokens.0.symbol']],
    [
      'the bound of its sockets',
      'tokens:',
      'limits: { maxConcurrentCalls: 5 }\ntokens:',
      ['limits.maxConcurrentCalls'],
    ],
  ])('not %s, which is named', (_, from, to, paths) => {
    expect(listFixedChanges(configOf(), configOf(from, to)).toSorted()).toEqual(paths);
  });
});

describe('a reloader', () => {
  function setup(load: () => Promise<RelayConfig>) {
    const options = {
      config: configOf(),
      load: vi.fn<() => Promise<RelayConfig>>(load),
      apply: vi.fn<(config: RelayConfig) => Promise<void>>(() => Promise.resolve()),
      onRead: vi.fn<() => void>(),
      log: { info: vi.fn(), warn: vi.fn(), error: vi.fn<(facts: object, message: string) => void>() },
      ...{ nowMs: () => 1_000, retryMs: 5 },
    };
    return { options, reloader: createReloader(options) };
  }

  test('takes over a good file', async () => {
    const next = configOf('"1"', '"3"');
    const { options, reloader } = setup(() => Promise.resolve(next));
    await reloader.reload();
    expect(options.apply).toHaveBeenCalledWith(next);
    expect(options.onRead).toHaveBeenCalledTimes(1);
    expect(reloader.state()).toEqual({ loadedAt: '1970-01-01T00:00:01.000Z', refusedAt: null });
  });

  test('changes nothing for a bad one, and says so', async () => {
    const { options, reloader } = setup(() => Promise.reject(new AutoPayError('invalid_configuration', 'line 3 …')));
    await reloader.reload();
    expect(options.apply).not.toHaveBeenCalled();
    expect(options.onRead).toHaveBeenCalledTimes(1);
    expect(reloader.state().refusedAt).not.toBeNull();
    expect(options.log.error).toHaveBeenCalledWith(
      { code: 'invalid_configuration', reason: 'line 3 …' },
      'the new configuration was refused; the old one stays in use',
    );
  });

  test('names what needs a restart', async () => {
    const { options, reloader } = setup(() => Promise.resolve(configOf('id: 31337', 'id: 1')));
    await reloader.reload();
    expect(options.apply).not.toHaveBeenCalled();
    expect(options.log.error.mock.calls[0]?.[0]).toMatchObject({
      reason: expect.stringContaining('cannot change while the relay runs: chain.id'),
    });
  });

  test('refuses what cannot be put to use, and forgets it with the next good file', async () => {
    const { options, reloader } = setup(() => Promise.resolve(configOf()));
    options.apply.mockRejectedValueOnce(new AutoPayError('price_table_unpublished', 'publish it'));
    await reloader.reload();
    expect(reloader.state().refusedAt).not.toBeNull();
    await reloader.reload();
    expect(reloader.state().refusedAt).toBeNull();
  });

  test('tries again what was refused for what no file says, until it is put to use, and complains once', async () => {
    const { options, reloader } = setup(() => Promise.resolve(configOf()));
    const unpublished = new AutoPayError('price_table_unpublished', 'publish it');
    options.apply.mockRejectedValueOnce(unpublished).mockRejectedValueOnce(unpublished);
    await reloader.reload();
    await vi.waitFor(() => expect(reloader.state().refusedAt).toBeNull());
    expect(options.apply).toHaveBeenCalledTimes(3);
    expect(options.log.error).toHaveBeenCalledTimes(1);
  });

  test('reads nothing more once it is closed', async () => {
    const { options, reloader } = setup(() => Promise.resolve(configOf()));
    options.apply.mockRejectedValueOnce(new AutoPayError('chain_unavailable', 'later'));
    const reading = reloader.reload();
    reloader.close();
    await reading;
    await reloader.reload();
    expect(options.load).toHaveBeenCalledTimes(1);
  });

  test('reads once more for what changed while it read, however often it is told', async () => {
    const held = Promise.withResolvers<RelayConfig>();
    const { options, reloader } = setup(() => Promise.resolve(configOf()));
    options.load.mockReturnValueOnce(held.promise);
    const all = [reloader.reload(), reloader.reload(), reloader.reload()];
    held.resolve(configOf());
    await Promise.all(all);
    expect(options.load).toHaveBeenCalledTimes(2);
  });
});
