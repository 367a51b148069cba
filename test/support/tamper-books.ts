import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { stringify } from 'yaml';
import { checkBooks } from '../../fsck/check-books.ts';
import { zeroAddress } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens } from '../../protocol/deployment/deployment-schema.ts';
import type { ChainStack } from './deploy-stack.ts';

/** Prices under which `chargeCall` charges right: one atomic unit of USDC, or 10^12 AGPT wei, per prompt token. */
export const pricesIn = ({ USDC, AGPT }: DeployedTokens, price = '1') => ({
  tokens: [
    { symbol: 'USDC', address: USDC?.address ?? zeroAddress, decimals: 6 },
    { symbol: 'AGPT', address: AGPT?.address ?? zeroAddress, decimals: 18 },
  ],
  routes: [
    { model: 'sim-small', price: { prompt: price, completion: '2.50' } },
    { model: 'sim-free', free: true },
  ],
});

/** Writes the part of `autopay.yaml` that the checker reads. */
export async function writeCheckerConfig(stack: ChainStack, dataDir: string, price?: string): Promise<void> {
  const { chain, contracts, deployment } = stack;
  const { paymentChannels, autoPayLLM, auditLog, priceBook, priceOracle, keyRegistry } = contracts;
  const config = {
    chain: { id: chain.chainId, rpcUrl: chain.rpcUrl, deployedAtBlock: contracts.deployedAtBlock },
    contracts: { paymentChannels, autoPayLLM, auditLog, priceBook, priceOracle, keyRegistry },
    ...pricesIn(deployment.tokens, price),
  };
  await writeFile(join(dataDir, 'autopay.yaml'), stringify(config));
}

/** How a copy of the books is changed before it is checked. */
export interface Tampering {
  sql?: string;
  files?: (folder: string) => Promise<void>;
}

/**
 * Copies a data folder into a new folder in `into`, changes the copy without regard to keys and CHECKs, and gives the names of
 * the claims that fail.
 */
export async function failuresAfter(
  change: Tampering,
  { dataDir, into, offline = false }: { dataDir: string; into: string; offline?: boolean },
): Promise<string[]> {
  const folder = await mkdtemp(join(into, 'books-'));
  const source = new DatabaseSync(join(dataDir, 'ledger.sqlite'), { readOnly: true });
  source.exec(`VACUUM INTO '${join(folder, 'ledger.sqlite')}'`);
  source.close();
  await cp(join(dataDir, 'blocks'), join(folder, 'blocks'), { recursive: true });
  await cp(join(dataDir, 'autopay.yaml'), join(folder, 'autopay.yaml'));
  if (change.sql !== undefined) {
    const db = new DatabaseSync(join(folder, 'ledger.sqlite'));
    db.exec(`PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; ${change.sql}`);
    db.close();
  }
  await change.files?.(folder);
  const report = await checkBooks({ dataDir: folder, ...(offline ? { rpcUrl: null } : {}) });
  const failed = report.claims.filter((claim) => !claim.ok);
  if (report.ok !== (failed.length === 0)) throw new Error('the report contradicts its claims');
  return failed.map((claim) => claim.name);
}

/** An amount as the ledger file holds it, as an SQL literal. */
export const amountBlob = (value: number): string => `x'${value.toString(16).padStart(32, '0')}'`;
