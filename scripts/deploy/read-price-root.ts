import { readFile } from 'node:fs/promises';
import { zeroHash } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { priceRootOf } from '../../server/config/list-prices.ts';
import { readSources } from '../../server/config/read-sources.ts';

/**
 * Root of the price table that an autopay.yaml describes. Its imports are taken in. Its tokens need no addresses yet: those of
 * the deployment are put in by symbol.
 *
 * @param file without one the root is zero: then the vote has to publish a table before the relay can sell
 */
export async function readPriceRoot(file: string | undefined, tokens: DeployedTokens): Promise<Hex> {
  if (file === undefined) return zeroHash;
  const { value, faults } = readSources(await readFile(file, 'utf8'), file, { env: process.env });
  if (faults.length > 0) throw new AutoPayError('invalid_configuration', faults.join('\n'));
  const config = value as { tokens?: { symbol: string }[] };
  const listed = (config.tokens ?? []).map((token) => ({ ...token, ...tokens[token.symbol] }));
  return priceRootOf({ ...config, tokens: listed });
}
