import { expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { contractAddressesSchema } from '../../protocol/deployment/deployment-schema.ts';
import { parseConfig } from './load-config.ts';
import type { SellerConfig } from './resolve-purchasing.ts';

const address = (byte: string) => `0x${byte.repeat(20)}`;
const contracts = Object.keys(contractAddressesSchema.shape)
  .map((name, index) => `    ${name}: "${address((0x40 + index).toString(16))}"`)
  .join('\n');
const chain = (id: number, more = '') => `  - id: ${id}
    rpcUrl: http://127.0.0.1:${8_000 + (id % 1_000)}
    deployedAtBlock: 1
${more}    contracts:
${contracts.replaceAll(/^ {4}/gm, '      ')}
    tokens:
      - { symbol: AGPT, address: "${address('a9')}", decimals: 18 }
      - { symbol: USDC, address: "${address('c1')}", decimals: 6, rate: "0.01" }
`;

function parse(parts: { auth?: string; channels?: string; refill?: string; apiKey?: string }): readonly SellerConfig[] {
  const { auth = '', apiKey = '', channels = '', refill = '' } = parts;
  const text = `chains:
${chain(42161, '    home: true\n')}${chain(137)}providers:
  - name: seller
    baseUrl: http://127.0.0.1:1/v1
${apiKey}${auth}
${channels}
${refill}
routes:
  - model: m
    deployments: [{ provider: seller, model: m }]
    price: { prompt: "1", completion: "1" }
`;
  return parseConfig(text, 'autopay.yaml', { env: {} }).sellers;
}
function faults(parts: Parameters<typeof parse>[0]): string {
  try {
    parse(parts);
  } catch (error) {
    if (error instanceof AutoPayError) return error.message;
    throw error;
  }
  return 'none';
}
const limits = 'maxPerCall: "0.05", maxPerDay: "2"';
const auth = (words: string) => `    auth: { ${words} }`;

test('a provider is paid by its key unless it says otherwise', () => {
  expect(parse({})).toEqual([]);
  expect(parse({ apiKey: '    apiKeyEnv: KEY\n', auth: auth('type: bearer') })).toEqual([]);
});

test('amounts are in the token that is named, on the chain that is named', () => {
  const [seller] = parse({
    auth: auth(`type: x402, ${limits}, chain: polygon, token: USDC, walletKeyEnv: W, payTo: "${address('b1')}"`),
  });
  expect(seller).toEqual({
    ...{ provider: 'seller', method: 'x402', walletKeyEnv: 'W', chainId: 137, rpcUrl: 'http://127.0.0.1:8137' },
    ...{ token: { symbol: 'USDC', address: address('c1'), decimals: 6 }, payTo: address('b1'), channel: null },
    ...{ maxPerCall: 50_000n, maxPerDay: 2_000_000n },
  });
  // The home chain, its first token, and the relay's own wallet, where nothing is said.
  expect(parse({ auth: auth(`type: mpp, ${limits}`) })).toMatchObject([
    {
      method: 'evm/charge',
      chainId: 42161,
      token: { symbol: 'AGPT' },
      walletKeyEnv: undefined,
      maxPerCall: 5n * 10n ** 16n,
    },
  ]);
});

test('a chain that calls are not sold on needs an endpoint and a token of its own', () => {
  const token = `token: { symbol: USDC, address: "${address('dd')}", decimals: 6 }`;
  const elsewhere = { method: 'x402', chainId: 8453, rpcUrl: 'http://127.0.0.1:9', token: { address: address('dd') } };
  expect(
    parse({ auth: auth(`type: x402, ${limits}, chain: 8453, rpcUrl: "http://127.0.0.1:9", ${token}`) }),
  ).toMatchObject([elsewhere]);
  expect(faults({ auth: auth(`type: x402, ${limits}, chain: base, ${token}`) })).toContain(
    'is none of chains; set rpcUrl, too',
  );
  expect(faults({ auth: auth(`type: x402, ${limits}, chain: base, rpcUrl: "http://127.0.0.1:9"`) })).toContain(
    'is no token of that chain',
  );
  expect(faults({ auth: auth(`type: x402, ${limits}, token: DAI`) })).toContain('is no token of that chain');
});

test('the channels of the blueprint', () => {
  const channels = `payment_channels:
  - { provider: seller, chain: polygon, balance: "300 AGPT", strategy: zk-rollup }`;
  const refill = 'auto_refill: { threshold: 50 AGPT, amount: 200 AGPT, gas_optimized: true }';
  const agpt = (amount: bigint) => amount * 10n ** 18n;
  expect(parse({ auth: auth(`type: mpp, ${limits}`), channels, refill })).toMatchObject([
    {
      ...{ method: 'evm/session', chainId: 137, token: { symbol: 'AGPT' } },
      channel: {
        ...{ escrow: expect.stringMatching(/^0x/), balance: agpt(300n), finality: { kind: 'tag', tag: 'finalized' } },
        refill: { threshold: agpt(50n), amount: agpt(200n), gasOptimized: true, maxWaitMs: 3_600_000 },
      },
    },
  ]);
  const own = `payment_channels:
  - provider: seller
    chain: 42161
    balance: "5 USDC"
    escrow: "${address('e5')}"
    auto_refill: { threshold: "1 USDC", amount: "2 USDC", max_wait_seconds: 60 }`;
  expect(parse({ auth: auth(`type: mpp, ${limits}`), channels: own, refill })).toMatchObject([
    {
      channel: {
        ...{ escrow: address('e5'), balance: 5_000_000n, finality: { kind: 'tag', tag: 'safe' } },
        refill: { threshold: 1_000_000n, gasOptimized: false, maxWaitMs: 60_000 },
      },
    },
  ]);
});

test('a channel that would pay nobody, or cannot be, is refused with the reason', () => {
  const channel = (more = 'chain: arbitrum, balance: 5 USDC') => `payment_channels: [{ provider: seller, ${more} }]`;
  const mpp = auth(`type: mpp, ${limits}`);
  expect(faults({ channels: channel() })).toContain('seller is paid by its API key');
  expect(faults({ channels: channel(), auth: auth(`type: x402, ${limits}`) })).toContain('seller is paid by x402');
  expect(faults({ channels: channel('chain: base, balance: 5 USDC'), auth: mpp })).toContain('has to be one of chains');
  expect(faults({ channels: channel('chain: arbitrum, balance: 5 DAI'), auth: mpp })).toContain('is in DAI');
  expect(faults({ channels: channel('chain: arbitrum, balance: 0 USDC'), auth: mpp })).toContain('has to be above 0');
  expect(faults({ channels: channel('chain: arbitrum, balance: "5"'), auth: mpp })).toContain('such as "500 AGPT"');
  expect(faults({ channels: channel(), auth: auth(`type: mpp, ${limits}, token: AGPT`) })).toContain(
    'auth.token of seller is AGPT',
  );
  const refill = 'auto_refill: { threshold: 50 AGPT, amount: 200 AGPT }';
  expect(faults({ channels: channel(), auth: mpp, refill })).toContain('give the channel an auto_refill of its own');
  expect(faults({ auth: mpp, apiKey: '    apiKeyEnv: KEY\n' })).toContain('is not sent where auth is mpp');
  expect(faults({ auth: auth('type: x402, maxPerCall: "0.05"') })).toContain('maxPerDay must be an amount');
  expect(faults({ auth: auth(`type: x402, ${limits}, maxPerMonth: "1"`) })).toContain('maxPerMonth is not a known key');
  expect(faults({ auth: auth('type: x402, maxPerCall: "0.0000000000000000001", maxPerDay: "1"') })).toContain(
    'more than the 18 decimals',
  );
});
