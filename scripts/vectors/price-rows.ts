import { encodeAbiParameters, parseAbiParameters, toHex, type Hex } from 'viem';
import { DefinedTree, sha256 } from './rfc6962.ts';

// contracts/types/PriceRow.sol, written out here so that nothing of the code under test is needed.
const rowAbi = parseAbiParameters([
  'PriceRow row',
  'struct PriceRow { string model; address token; bool inUsd; uint128 prompt; uint128 cachedPrompt; uint128 cacheWrite; uint128 audioPrompt; uint128 completion; uint128 audioCompletion; uint128 request; }',
]);

const usdc: Hex = `0x${'70'.repeat(20)}`;
const agpt: Hex = `0x${'a9'.repeat(20)}`;
const most128 = 2n ** 128n - 1n;

const smallPrices = {
  prompt: 150_000n,
  cachedPrompt: 75_000n,
  cacheWrite: 200_000n,
  audioPrompt: 300_000n,
  completion: 600_000n,
  audioCompletion: 1_200_000n,
  request: 0n,
};
// US dollars with 8 decimals: 0.15, 0.075, 0.2, 0.3, 0.6 and 1.2 dollars per million tokens, a tenth of a cent per call.
const dollarPrices = {
  prompt: 15_000_000n,
  cachedPrompt: 7_500_000n,
  cacheWrite: 20_000_000n,
  audioPrompt: 30_000_000n,
  completion: 60_000_000n,
  audioCompletion: 120_000_000n,
  request: 100_000n,
};
const freeOfTokens = {
  ...{ prompt: 0n, cachedPrompt: 0n, cacheWrite: 0n, audioPrompt: 0n, completion: 0n, audioCompletion: 0n },
  request: 1n,
};
const greatest = {
  ...{ prompt: most128, cachedPrompt: most128, cacheWrite: most128, audioPrompt: most128 },
  ...{ completion: most128, audioCompletion: most128, request: most128 },
};

// In the order of a published table: by model, then by token.
const rows = [
  { model: '', token: usdc, inUsd: false, ...freeOfTokens },
  { model: 'sim-large', token: agpt, inUsd: false, ...greatest },
  { model: 'sim-small', token: usdc, inUsd: false, ...smallPrices },
  { model: 'sim-small', token: agpt, inUsd: true, ...dollarPrices },
  { model: 'ünïcödé, and longer than thirty-two bytes', token: usdc, inUsd: true, ...dollarPrices },
];

const nothing = {
  ...{ prompt: 0, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0 },
  ...{ completion: 0, reasoning: 0, audioCompletion: 0 },
};
const mixed = {
  ...{ prompt: 100, cachedPrompt: 40, cacheWrite: 10, audioPrompt: 5 },
  ...{ completion: 50, reasoning: 9, audioCompletion: 7 },
};

// Costs are worked out by hand, as the comments say.
const costs = [
  { row: 0, usage: mixed, conversion: null, cost: '1' },
  // 0.15 atomic units, up.
  { row: 2, usage: { ...nothing, prompt: 1 }, conversion: null, cost: '1' },
  // 45 × 0.15 + 40 × 0.075 + 10 × 0.2 + 5 × 0.3 + 43 × 0.6 + 7 × 1.2 = 47.45
  { row: 2, usage: mixed, conversion: null, cost: '48' },
  // 2^128 − 1 for a million tokens, and 2^128 − 1 for the call.
  {
    row: 1,
    usage: { ...nothing, completion: 1_000_000 },
    conversion: null,
    cost: (2n * most128).toString(),
  },
  // 0.00004745 dollars for the tokens and 0.001 for the call are 0.00104745 dollars; a token is worth 1.
  { row: 4, usage: mixed, conversion: { answer: 10n ** 8n, answerDecimals: 8, tokenDecimals: 6 }, cost: '1048' },
  { row: 4, usage: mixed, conversion: { answer: 10n ** 18n, answerDecimals: 18, tokenDecimals: 6 }, cost: '1048' },
  // A token is worth 3 cents: 0.034915 tokens.
  {
    row: 3,
    usage: mixed,
    conversion: { answer: 3_000_000n, answerDecimals: 8, tokenDecimals: 18 },
    cost: '34915000000000000',
  },
  // A token is worth 7 dollars: 0.000149635714285714285714… tokens.
  {
    row: 3,
    usage: mixed,
    conversion: { answer: 7n * 10n ** 18n, answerDecimals: 18, tokenDecimals: 18 },
    cost: '149635714285715',
  },
];

/** A price table with the leaf and the path of each row, and what calls cost by its rows. */
export function priceVectors(): { priceTable: unknown; priceCosts: unknown } {
  const encoded = rows.map((row) => Buffer.from(encodeAbiParameters(rowAbi, [row]).slice(2), 'hex'));
  const tree = new DefinedTree(encoded);
  return {
    priceTable: {
      root: toHex(tree.hash()),
      size: rows.length,
      rows: rows.map((row, index) => ({
        row,
        encoded: toHex(encoded[index] ?? Buffer.alloc(0)),
        leafHash: toHex(sha256(Buffer.from([0]), encoded[index] ?? Buffer.alloc(0))),
        path: tree.path(index).map((hash) => toHex(hash)),
      })),
    },
    priceCosts: costs,
  };
}
