import { join } from 'node:path';
import type { PublicClient } from 'viem';
import { connect, readAnchors, type ChainAnchor } from './chain-reader.ts';
import { checkBatches } from './check-batches.ts';
import { checkBlocks, createFolderSource, readBlockRows } from './check-blocks.ts';
import { checkBudgets, checkModelDays } from './check-budgets.ts';
import { checkAllowances } from './check-allowances.ts';
import { checkBookings } from './check-bookings.ts';
import { checkAnchors, checkEscrow, checkScope, checkSigners, type ChainCheck } from './check-chain.ts';
import { checkChannels } from './check-channels.ts';
import { checkConversions, checkTables } from './check-prices.ts';
import { checkCollections, readCollections } from './check-collections.ts';
import { checkPayments, readPayments } from './check-payments.ts';
import { checkScopes } from './check-scopes.ts';
import { checkTotals } from './check-totals.ts';
import { failedClaim, type Claim } from './claims.ts';
import { openBooks } from './open-books.ts';
import { readSettings, type ContractAddresses, type Settings } from './read-settings.ts';
import { scanCharges } from './scan-charges.ts';

/** What to check, and against what. */
export interface CheckBooksOptions {
  /** The relay's data folder, with autopay.yaml, ledger.sqlite and blocks/. */
  dataDir: string;
  /** JSON-RPC endpoint; that of autopay.yaml if omitted, no chain at all if null. */
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

/**
 * Recomputes a relay's books from the raw data, with code of its own: receipts from their bytes, sums from the receipts,
 * the log's roots from its entries, and compares them with ledger, blocks and chain. It writes nothing.
 * @throws AutoPayError `not_found`, `invalid_configuration` or `invalid_encoding` if there are no books to check.
 */
export async function checkBooks(options: CheckBooksOptions): Promise<BooksReport> {
  const fromFile = await readSettings(options.dataDir);
  const settings: Settings = {
    ...fromFile,
    ...(options.contracts === undefined ? {} : { contracts: options.contracts }),
    ...(options.deployedAtBlock === undefined ? {} : { deployedAtBlock: options.deployedAtBlock }),
  };
  const rpcUrl = options.rpcUrl === undefined ? settings.rpcUrl : options.rpcUrl;
  const client = rpcUrl === null ? null : connect(rpcUrl);
  const report = await readOnce(options.dataDir, settings, client);
  // A relay at work moves money between our reading of ledger and chain: what differs is looked at once more.
  return report.ok || client === null ? report : readOnce(options.dataDir, settings, client);
}

async function readOnce(dataDir: string, settings: Settings, client: PublicClient | null): Promise<BooksReport> {
  const books = openBooks(join(dataDir, 'ledger.sqlite'));
  try {
    const blocks = readBlockRows(books);
    const collections = readCollections(books);
    const payments = readPayments(books);
    const anchors = client === null ? [] : await tryReadAnchors(client, settings);
    const sizes = Array.isArray(anchors) ? anchors.map((anchor) => Number(anchor.size)) : [];
    const treesAt = new Set([...blocks.map((block) => block.size), ...sizes]);
    const facts = scanCharges(books, { treesAt, claimEnds: collections.claimEnds, settings });
    const scope = { chainId: settings.chainId, verifyingContract: settings.contracts.autoPayLLM };
    const batches = checkBatches(books, facts, scope);
    const claims = [
      ...facts.claims,
      batches.claim,
      ...checkChannels(books, facts, settings),
      checkPayments(books, payments, collections.collections),
      checkTotals(books),
      checkScopes(books),
      checkModelDays(books),
      checkCollections(books, collections, facts),
      await checkBlocks(blocks, createFolderSource(join(dataDir, 'blocks')), facts),
    ];
    if (client !== null) {
      const check: ChainCheck = { client, settings, books, collections, payments, facts };
      claims.push(
        await attempt('same_deployment', () => checkScope(check)),
        await attempt('signers_are_relay', () => checkSigners(check, batches.signers)),
        Array.isArray(anchors) ? checkAnchors(check, anchors, blocks) : anchors,
        await attempt('escrow_matches', () => checkEscrow(check)),
        await attempt('bookings_match', () => checkBookings(check)),
        await attempt('allowances_match', () => checkAllowances(check)),
        await attempt('tables_in_force', () => checkTables({ client, settings, tables: facts.tables })),
        await attempt('conversions_recomputed', () =>
          checkConversions({ client, settings, converted: facts.converted }),
        ),
        await attempt('budgets_kept', () => checkBudgets(check)),
      );
    }
    return { ok: claims.every((claim) => claim.ok), claims };
  } finally {
    books.close();
  }
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
