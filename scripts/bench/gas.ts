/**
 * npm run bench:gas [-- --json]
 *
 * What each operation costs on a simulated OP-stack L2 with the real USDC code, calldata included, and what 1,000 calls
 * cost one payer by each way to pay, in gas and in dollars at stated prices. All of it in one run.
 */
import { parseArgs } from 'node:util';
import { createGasSystem } from './gas/gas-system.ts';
import { BATCH_CHANNELS, measureGas, type Measurements } from './gas/measure-gas.ts';
import { figure, printFigures, type Figure } from './report.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });

/**
 * Prices that the dollars are computed at. L2 gas and ether are round figures of 2026; the scalars are those of Base's
 * system configuration; L1 prices are round figures.
 */
const PRICES = {
  l2GasPriceWei: 10_000_000n,
  etherUsd: 3_000,
  l1: { baseFeeWei: 1_000_000_000n, blobBaseFeeWei: 1_000_000n, baseFeeScalar: 2_269n, blobBaseFeeScalar: 1_055_762n },
};
const CALLS = 1_000;

const system = await createGasSystem(PRICES.l1);
try {
  const figures = describe(await measureGas(system));
  if (!values.json) {
    process.stdout.write(
      `L2 gas ${Number(PRICES.l2GasPriceWei) / 1e9} gwei, ether ${PRICES.etherUsd} USD, L1 base fee ${Number(PRICES.l1.baseFeeWei) / 1e9} gwei, ` +
        `blob base fee ${Number(PRICES.l1.blobBaseFeeWei) / 1e9} gwei, scalars ${PRICES.l1.baseFeeScalar} and ${PRICES.l1.blobBaseFeeScalar} (Base)\n\n`,
    );
  }
  printFigures(figures, { json: values.json });
  process.exitCode = figures.some(({ pass }) => pass === false) ? 1 : 0;
} finally {
  await system.close();
}

function describe(measured: Measurements): Figure[] {
  const gas = (cost: { gas: bigint }): number => Number(cost.gas);
  const share = (cost: { gas: bigint }): number => gas(cost) / BATCH_CHANNELS;
  const booked = share(measured.collect) + share(measured.book);
  return [
    figure('open, first of a (payee, token) pair', gas(measured.openFirstOfPair), 'gas'),
    figure('open, own key', gas(measured.openOwnKey), 'gas', { atMost: 110_000 }),
    figure('open, session key', gas(measured.openSessionKey), 'gas', { atMost: 132_000 }),
    figure('openWithAuthorization', gas(measured.openWithAuthorization), 'gas'),
    figure(`settleBatch of ${BATCH_CHANNELS}`, share(measured.settleBatch), 'gas per channel', { atMost: 12_500 }),
    figure(`closeBatch of ${BATCH_CHANNELS}`, share(measured.closeBatch), 'gas per channel'),
    figure(`collect of ${BATCH_CHANNELS}`, share(measured.collect), 'gas per channel'),
    figure(`collect + book of ${BATCH_CHANNELS}`, booked, 'gas per channel', { atMost: 14_000 }),
    figure('release', gas(measured.release), 'gas'),
    figure('withdrawCredits', gas(measured.withdrawCredits), 'gas'),
    figure('anchor, 1 entry more', gas(measured.anchorSmall), 'gas', { atMost: 65_000 }),
    figure('anchor, 16,000,000 entries more', gas(measured.anchorLarge), 'gas', { atMost: 65_000 }),
    figure('executeLLMCall, warm', gas(measured.executeLLMCall), 'gas', { atMost: 90_000 }),
    figure('executeLLMCall with call id and budget, warm', gas(measured.executeLLMCallOnce), 'gas'),
    figure('transferWithAuthorization', gas(measured.transferWithAuthorization), 'gas'),
    figure('x402 exact by EIP-3009, at the desk', gas(measured.acceptAuthorization), 'gas'),
    figure('x402 exact by Permit2, at the desk', gas(measured.acceptPermit2), 'gas'),
    figure('x402 upto, at the desk', gas(measured.acceptUpto), 'gas'),
    ...compareMethods(measured),
  ];
}

/** What 1,000 calls of one payer cost in all, by each way to pay. */
function compareMethods(measured: Measurements): Figure[] {
  const { openOwnKey, collect, book, release, withdrawCredits, approve } = measured;
  const once = [openOwnKey, approve];
  // Its share of a collection of 100 channels, and of what follows it.
  const shared = [collect, book, release, withdrawCredits];
  const methods = {
    'channel, collected once': sum([...once, ...shared.map((cost) => scale(cost, 1 / BATCH_CHANNELS))]),
    'channel, collected 24 times': sum([...once, ...shared.map((cost) => scale(cost, 24 / BATCH_CHANNELS))]),
    'allowance (executeLLMCall with call id)': sum([approve, scale(measured.executeLLMCallOnce, CALLS)]),
    'x402 exact by EIP-3009': sum([scale(measured.acceptAuthorization, CALLS)]),
    'x402 upto': sum([approve, scale(measured.acceptUpto, CALLS)]),
    'transferWithAuthorization alone': sum([scale(measured.transferWithAuthorization, CALLS)]),
  };
  return Object.entries(methods).flatMap(([name, cost]) => [
    figure(`${CALLS} calls by ${name}`, cost.gas, 'gas'),
    figure(`${CALLS} calls by ${name}`, dollars(cost), 'USD'),
  ]);
}

interface Cost {
  gas: number;
  l1FeeWei: number;
}

function scale(cost: { gas: bigint; l1FeeWei: bigint }, factor: number): Cost {
  return { gas: Number(cost.gas) * factor, l1FeeWei: Number(cost.l1FeeWei) * factor };
}

function sum(costs: readonly (Cost | { gas: bigint; l1FeeWei: bigint })[]): Cost {
  return costs.reduce<Cost>(
    (total, cost) => ({ gas: total.gas + Number(cost.gas), l1FeeWei: total.l1FeeWei + Number(cost.l1FeeWei) }),
    { gas: 0, l1FeeWei: 0 },
  );
}

function dollars({ gas, l1FeeWei }: Cost): number {
  return ((gas * Number(PRICES.l2GasPriceWei) + l1FeeWei) / 1e18) * PRICES.etherUsd;
}
