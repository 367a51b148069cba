import { join } from 'node:path';
import type { PublicClient } from 'viem';
import { connect, readAnchors, type ChainAnchor } from './chain-reader.ts';
import { checkAllowances } from './check-allowances.ts';
import { checkBatches } from './check-batches.ts';
import { checkBlocks, createFolderSource, readBlockRows, type BlockRow } from './check-blocks.ts';
import { checkBookings } from './check-bookings.ts';
import { checkBudgets, checkModelDays } from './check-budgets.ts';
import { checkAnchors, checkEscrow, checkScope, checkSigners, type ChainCheck } from './check-chain.ts';
import { checkChannels } from './check-channels.ts';
import { checkCollections, readCollections, type CollectionRows } from './check-collections.ts';
import { checkPayments, readPayments, type PaymentRow } from './check-payments.ts';
import { checkConversions, checkTables } from './check-prices.ts';
import { checkScopes } from './check-scopes.ts';
import { checkTotals } from './check-totals.ts';
import { failedClaim, type Claim } from './claims.ts';
import { openBooks, type Books } from './open-books.ts';
import { readChainSettings, type ContractAddresses, type Settings } from './read-settings.ts';
import { scanCharges, type ChargeFacts } from './scan-charges.ts';

/** What to check, and against what. */
export interface CheckBooksOptions {
  /** The relay's data folder, with autopay.yaml, ledger.sqlite and blocks/. */
  dataDir: string;
  /** JSON-RPC endpoint of the home chain; that of autopay.yaml if omitted, no chain at all if null. */
  rpcUrl?: string | null;
  /** Other contracts than those in autopay.yaml. */
  contracts?: ContractAddresses;
  /** Another first block than that in autopay.yaml. */
  deployedAtBlock?: number;
}

/** What was found, claim by claim. */
export interface BooksReport {
  ok: boolean;
  claims: Claim[];
}

/** A chain that is checked; without a client only what the books say of it. */
interface CheckedChain {
  settings: Settings;
  client: PublicClient | null;
}

/**
 * Recomputes a relay's books from the raw data, with code of its own: receipts from their bytes, sums from the receipts,
 * the log's roots from its entries, and compares them with ledger, blocks and each chain. It writes nothing.
 * @throws AutoPayError `not_found`, `invalid_configuration` or `invalid_encoding` if there are no books to check.
 */
export async function checkBooks(options: CheckBooksOptions): Promise<BooksReport> {
  const [fromFile, ...others] = await readChainSettings(options.dataDir);
  const home: Settings = {
    ...fromFile,
    ...(options.contracts === undefined ? {} : { contracts: options.contracts }),
    ...(options.deployedAtBlock === undefined ? {} : { deployedAtBlock: options.deployedAtBlock }),
    ...(typeof options.rpcUrl === 'string' ? { rpcUrl: options.rpcUrl } : {}),
  };
  const chains = [home, ...others].map((settings): CheckedChain => ({
    ...{ settings, client: options.rpcUrl === null ? null : connect(settings.rpcUrl) },
  }));
  const report = await readOnce(options.dataDir, chains);
  // A relay at work moves money between our reading of ledger and chain: what differs is looked at once more.
  return report.ok || options.rpcUrl === null ? report : readOnce(options.dataDir, chains);
}

/** A chain with what the books and its contracts say of it. */
interface ReadChain extends CheckedChain {
  books: Books;
  collections: CollectionRows;
  payments: PaymentRow[];
  anchors: ChainAnchor[] | Claim;
}

async function readOnce(dataDir: string, checked: readonly CheckedChain[]): Promise<BooksReport> {
  const file = join(dataDir, 'ledger.sqlite');
  const opened: Books[] = [];
  const open = (chainId?: number): Books => {
    const books = openBooks(file, chainId);
    opened.push(books);
    return books;
  };
  try {
    const books = open();
    const read = checked.map((chain) => ({ ...chain, books: open(chain.settings.chainId) }));
    const chains: ReadChain[] = await Promise.all(read.map(readChain));
    const blocks = readBlockRows(books);
    const sizes = chains.flatMap(({ anchors }) =>
      Array.isArray(anchors) ? anchors.map(({ size }) => Number(size)) : [],
    );
    const treesAt = new Set([...blocks.map((block) => block.size), ...sizes]);
    const claimEnds = new Set(chains.flatMap(({ collections }) => [...collections.claimEnds]));
    const log = scanCharges(books, { treesAt, claimEnds, settings: chains.map(({ settings }) => settings) });
    const [home] = chains;
    const byChain = async (check: (chain: ReadChain, facts: ChargeFacts) => Claim[] | Promise<Claim[]>) => {
      for (const chain of chains) {
        const { chainId } = chain.settings;
        const facts = log.chains.get(chainId);
        const found = facts === undefined ? [] : await check(chain, facts);
        // The home chain's have no name: mostly there is no other.
        claims.push(...(chain === home ? found : found.map((claim) => nameChain(claim, chainId))));
      }
    };
    const claims = [...log.claims];
    await byChain((chain, facts) => [...facts.claims, ...checkChain(chain, facts)]);
    claims.push(checkModelDays(books), await checkBlocks(blocks, createFolderSource(join(dataDir, 'blocks')), log));
    await byChain((chain, facts) => compareChain(chain, facts, { blocks, isHome: chain === home }));
    if (home?.client) {
      const budgets = { ...home, client: home.client, books, others: chains.slice(1).map(({ settings }) => settings) };
      claims.push(await attempt('budgets_kept', () => checkBudgets(budgets)));
    }
    return { ok: claims.every((claim) => claim.ok), claims };
  } finally {
    for (const books of opened) books.close();
  }
}

async function readChain(chain: CheckedChain & { books: Books }): Promise<ReadChain> {
  const { books, client, settings } = chain;
  return {
    ...chain,
    collections: readCollections(books),
    payments: readPayments(books),
    anchors: client === null ? [] : await tryReadAnchors(client, settings),
  };
}

/** What the books say of one chain adds up. */
function checkChain({ books, collections, payments, settings }: ReadChain, facts: ChargeFacts): Claim[] {
  const scope = { chainId: settings.chainId, verifyingContract: settings.contracts.autoPayLLM };
  return [
    checkBatches(books, facts, scope).claim,
    ...checkChannels(books, facts, settings),
    checkPayments(books, payments, collections.collections),
    checkTotals(books),
    checkScopes(books),
    checkCollections(books, collections, facts),
  ];
}

/** What the books say of one chain is what that chain says. */
async function compareChain(
  chain: ReadChain,
  facts: ChargeFacts,
  { blocks, isHome }: { blocks: readonly BlockRow[]; isHome: boolean },
): Promise<Claim[]> {
  const { anchors, books, client, settings } = chain;
  if (client === null) return [];
  const check: ChainCheck = { ...chain, client, facts };
  const scope = { chainId: settings.chainId, verifyingContract: settings.contracts.autoPayLLM };
  const { signers } = checkBatches(books, facts, scope);
  const { converted, tables } = facts;
  return [
    await attempt('same_deployment', () => checkScope({ ...check, isHome })),
    await attempt('signers_are_relay', () => checkSigners(check, signers)),
    Array.isArray(anchors) ? checkAnchors(check, anchors, blocks) : anchors,
    await attempt('escrow_matches', () => checkEscrow(check)),
    await attempt('bookings_match', () => checkBookings(check)),
    await attempt('allowances_match', () => checkAllowances(check)),
    await attempt('tables_in_force', () => checkTables({ client, settings, tables })),
    await attempt('conversions_recomputed', () => checkConversions({ client, settings, converted })),
  ];
}

/** A claim about a chain that is not home. */
function nameChain(claim: Claim, chainId: number): Claim {
  return { ...claim, name: `${claim.name}_on_${chainId}` };
}

/** The anchors, or the claim that fails because they cannot be read. */
function tryReadAnchors(client: PublicClient, settings: Settings): Promise<ChainAnchor[] | Claim> {
  const source = { client, auditLog: settings.contracts.auditLog, deployedAtBlock: BigInt(settings.deployedAtBlock) };
  return readAnchors(source).catch((error: unknown) => failedClaim('anchors_match', error));
}

/** A chain that cannot be asked fails the claim, not the check. */
async function attempt(name: string, check: () => Promise<Claim>): Promise<Claim> {
  try {
    return await check();
  } catch (error) {
    return failedClaim(name, error);
  }
}
