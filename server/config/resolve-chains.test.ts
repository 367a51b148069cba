import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(40)}`;
const names = ['paymentChannels', 'autoPayLLM', 'auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry']
  .concat(['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'])
  .map((name) => `${name}: ${address('3')}`)
  .join(', ');
const usdc = (digit: string, decimals = 6) => `[{ symbol: USDC, address: "${address(digit)}", decimals: ${decimals} }]`;
const chain = (id: number, more = '', tokens = usdc('4')) =>
  `  - { id: ${id}, rpcUrl: "http://127.0.0.1:${id}", deployedAtBlock: 1, contracts: { ${names} }, tokens: ${tokens}${more} }`;
const rest = `
providers: [{ name: simulated, baseUrl: http://127.0.0.1:4002/v1 }]
routes:
  - model: sim-small
    deployments: [{ provider: simulated, model: sim-small }]
    price: { prompt: "0.15", completion: "0.60" }
`;
const configOf = (chains: readonly string[], more = '') => `chains:\n${chains.join('\n')}${rest}${more}`;
const load = (text: string) => parseConfig(text, 'autopay.yaml');

function faultsOf(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof AutoPayError && error.code === 'invalid_configuration') return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('a configuration of several chains', () => {
  it('has the home chain first, and what is said of each on it', () => {
    const config = load(
      configOf([
        chain(8453, ', strategy: zk-rollup, transactions: { maxFeePerGasGwei: "2" }', usdc('5', 18)),
        chain(42161, ', home: true, confirmations: 3'),
      ]),
    );
    expect(config.chain).toMatchObject({ id: 42161, finality: { kind: 'blocks', count: 3 } });
    expect(config.chains.map(({ chain: { id } }) => id)).toEqual([42161, 8453]);
    const [home, other] = config.chains;
    expect(home).toMatchObject({ chain: config.chain, contracts: config.contracts, tokens: config.tokens });
    expect(other?.chain).toMatchObject({
      finality: { kind: 'tag', tag: 'finalized' },
      transactions: { maxFeePerGas: 2_000_000_000n },
    });
    // Prices are the same, in atomic units of each chain's token.
    const prompts = config.chains.map(({ routes }) => routes[0]?.prices?.[0]);
    expect(prompts).toMatchObject([
      { token: address('4'), prompt: 150_000n },
      { token: address('5'), prompt: 150_000_000_000_000_000n },
    ]);
  });

  it('may be of one chain, in either form, with the same meaning', () => {
    const short = `chain: { id: 8453, rpcUrl: "http://127.0.0.1:8453", deployedAtBlock: 1 }\ncontracts: { ${names} }\ntokens: ${usdc('4')}${rest}`;
    const [one, other] = [load(configOf([chain(8453)])), load(short)];
    expect(one.chains).toEqual(other.chains);
    expect(one.chains).toHaveLength(1);
  });

  it.each([
    [
      'both forms',
      configOf([chain(8453)], `tokens: ${usdc('4')}`),
      /tokens is the short form .*; move it into its chain of chains/,
    ],
    [
      'one id twice',
      configOf([chain(8453, ', home: true'), chain(8453)]),
      /chains\.1\.id is the id of another chain already/,
    ],
    ['no home', configOf([chain(8453), chain(10)]), /chains needs home: true/],
    ['two homes', configOf([chain(8453, ', home: true'), chain(10, ', home: true')]), /several with home: true/],
    ['neither form', rest, /chain is missing/],
    [
      'a token that is none at home',
      configOf([
        chain(8453, ', home: true'),
        chain(
          10,
          '',
          `[{ symbol: USDC, address: "${address('4')}", decimals: 6 }, { symbol: OP, address: "${address('6')}", decimals: 18, rate: "1" }]`,
        ),
      ]),
      /chains\.1\.tokens\.1\.symbol is no token of the home chain/,
    ],
    [
      'a first token that prices are not in',
      configOf([
        chain(8453, ', home: true'),
        chain(10, '', `[{ symbol: DAI, address: "${address('6')}", decimals: 18 }]`),
      ]),
      /chains\.1\.tokens\.0\.symbol has to be USDC/,
    ],
    [
      'a fault of one chain, where it stands',
      configOf([chain(8453, ', home: true'), chain(10, ', reorgMarginBlocks: 20000')]),
      /chains\.1\.reorgMarginBlocks has to be below/,
    ],
    ['an unknown key', configOf([chain(8453, ', rcpUrl: x')]), /rcpUrl is not a known key; did you mean "rpcUrl"/],
  ])('is refused with %s', (_, text, message) => {
    expect(faultsOf(text)).toMatch(message);
  });

  it('tells a fault of a route once', () => {
    const text = configOf([chain(8453, ', home: true'), chain(10)]).replace('"0.15"', '"0.1234567"');
    expect(faultsOf(text).match(/routes\.0\.price\.prompt/g)).toHaveLength(1);
  });
});
