import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import type { PriceFacts } from '../disputes/find-wrong-price.ts';
import type { OpenDeployment } from './open-deployment.ts';
import { asChainError } from './send-transaction.ts';

/**
 * What a deployment's chain says of prices, with the tables that are at hand. Each table is asked about once.
 * All throw AutoPayError `chain_unavailable` if the node does not answer.
 */
export function createPriceFacts(
  { reader, contracts }: OpenDeployment,
  tables: ReadonlyMap<Hex, readonly PriceRow[]>,
): PriceFacts {
  const guard = async <T>(reading: Promise<T>): Promise<T> => {
    try {
      return await reading;
    } catch (error) {
      throw asChainError(error, 'Reading the prices');
    }
  };
  const periods = new Map<Hex, Promise<{ from: bigint; until: bigint }>>();
  const readPeriod = (root: Hex): Promise<{ from: bigint; until: bigint }> => {
    const book = { address: contracts.priceBook, abi: priceBookAbi } as const;
    return guard(reader.readContract({ ...book, functionName: 'periodOf', args: [root] }));
  };
  const decimals = new Map<Hex, Promise<number>>();
  const readDecimals = (address: Hex): Promise<number> =>
    guard(reader.readContract({ address, abi: fiatTokenAbi, functionName: 'decimals' }));

  return {
    // As PriceBook.isInForce.
    async isInForce(root, atSeconds) {
      const period = remember(periods, root, readPeriod);
      const { from, until } = await period;
      const at = BigInt(atSeconds);
      return from !== 0n && from <= at && (until === 0n || at < until);
    },
    rowsOf: (root) => Promise.resolve(tables.get(root)),
    async readConversion(token, { roundId, atSeconds }) {
      // A uint80: what is beyond is no round.
      if (roundId >> 80n !== 0n) return undefined;
      const oracle = { address: contracts.priceOracle, abi: priceOracleAbi } as const;
      const args = [token, roundId, BigInt(atSeconds)] as const;
      const [price, wasCurrent] = await guard(reader.readContract({ ...oracle, functionName: 'priceAt', args }));
      const { answer, decimals: answerDecimals } = price;
      const tokenDecimals = await remember(decimals, token, readDecimals);
      return wasCurrent ? { answer, answerDecimals, tokenDecimals } : undefined;
    },
  };
}

function remember<T>(known: Map<Hex, Promise<T>>, key: Hex, read: (key: Hex) => Promise<T>): Promise<T> {
  const value = known.get(key) ?? read(key);
  known.set(key, value);
  return value;
}
