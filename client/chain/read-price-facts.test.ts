import { describe, expect, it } from 'vitest';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { fakeDeployment } from '../testing/fake-deployment.ts';
import { createPriceFacts } from './read-price-facts.ts';

const token: Hex = `0x${'dc'.repeat(20)}`;

describe('what the chain says of prices', () => {
  it.each([
    [{ from: 0n, until: 0n }, 100, false],
    [{ from: 100n, until: 0n }, 99, false],
    [{ from: 100n, until: 0n }, 100, true],
    [{ from: 100n, until: 200n }, 199, true],
    [{ from: 100n, until: 200n }, 200, false],
  ])('is when a table was in force, as PriceBook.isInForce has it: %o at %d', async (periodOf, at, isInForce) => {
    const facts = createPriceFacts(fakeDeployment({ periodOf }), new Map());
    expect(await facts.isInForce(zeroBytes32, at)).toBe(isInForce);
  });

  it('is asked once of each table', async () => {
    let asked = 0;
    const periodOf = () => ({ from: BigInt((asked += 1)), until: 0n });
    const facts = createPriceFacts(fakeDeployment({ periodOf }), new Map());
    await Promise.all([facts.isInForce(zeroBytes32, 5), facts.isInForce(zeroBytes32, 6)]);
    expect(asked).toBe(1);
  });

  it('is a round’s answer where it was the current one', async () => {
    const priceAt = (_token: Hex, round: bigint) => [{ answer: 3n, decimals: 8 }, round === 7n];
    const facts = createPriceFacts(fakeDeployment({ priceAt, decimals: 6 }), new Map());
    expect(await facts.readConversion(token, { roundId: 7n, atSeconds: 1 })).toEqual({
      answer: 3n,
      answerDecimals: 8,
      tokenDecimals: 6,
    });
    expect(await facts.readConversion(token, { roundId: 8n, atSeconds: 1 })).toBeUndefined();
    // Beyond a uint80 there is no round to ask for.
    expect(await facts.readConversion(token, { roundId: 1n << 80n, atSeconds: 1 })).toBeUndefined();
  });
});
