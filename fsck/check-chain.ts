import { CID } from 'multiformats/cid';
import type { PublicClient } from 'viem';
import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import { paymentChannelsAbi } from '../protocol/abi/payment-channels.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import type { ChainAnchor } from './chain-reader.ts';
import type { SigningTime } from './check-batches.ts';
import type { BlockRow } from './check-blocks.ts';
import { isTaken, type CollectionRows } from './check-collections.ts';
import type { PaymentRow } from './check-payments.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books } from './open-books.ts';
import type { Settings } from './read-settings.ts';
import type { ChargeFacts } from './scan-charges.ts';

/** What is compared with the chain. */
export interface ChainCheck {
  client: PublicClient;
  settings: Settings;
  books: Books;
  collections: CollectionRows;
  payments: readonly PaymentRow[];
  facts: ChargeFacts;
}

/** The chain is the one that receipts and vouchers are bound to; what is home says the ledger, too. */
export async function checkScope({
  client,
  settings,
  books,
  isHome,
}: ChainCheck & { isHome: boolean }): Promise<Claim> {
  const differences = new Differences();
  const chainId = await client.getChainId();
  differences.require(
    chainId === settings.chainId,
    () => `the endpoint is on chain ${chainId}, the configuration on ${settings.chainId}`,
  );
  const home = isHome ? [...books.rows('SELECT chain_id, verifying_contract FROM scope')] : [];
  for (const row of [...books.rows('SELECT chain_id, verifying_contract FROM chains'), ...home]) {
    const fits =
      row.number('chain_id') === settings.chainId && row.hex('verifying_contract') === settings.contracts.autoPayLLM;
    differences.require(
      fits,
      () => `the ledger is of chain ${row.number('chain_id')} and AutoPayLLM ${row.hex('verifying_contract')}`,
    );
  }
  return differences.toClaim(
    'same_deployment',
    `ledger, configuration and endpoint are of chain ${chainId}, AutoPayLLM ${settings.contracts.autoPayLLM}`,
  );
}

/**
 * Whoever signed the receipts had a key for it at that time, or they are no evidence. A key has one time, without gaps, so its
 * first and last signature speak for all.
 */
export async function checkSigners(
  { client, settings }: ChainCheck,
  signers: ReadonlyMap<Hex, SigningTime>,
): Promise<Claim> {
  const differences = new Differences();
  const registry = { address: settings.contracts.keyRegistry, abi: keyRegistryAbi } as const;
  for (const [signer, { firstMs, lastMs }] of signers) {
    for (const atMs of [firstMs, lastMs]) {
      const args = [signer, BigInt(Math.floor(atMs / 1_000))] as const;
      const isKey = await client.readContract({ ...registry, functionName: 'isValidAt', args });
      differences.require(isKey, () => `${signer} signed receipts at ${atMs} ms and was no receipt key then`);
    }
  }
  return differences.toClaim(
    'signers_are_relay',
    `${signers.size} receipt signer(s) had a key in KeyRegistry from their first signature to their last`,
  );
}

/** Every anchor is the root of the log at its size and names the block that ends there; every recorded one exists. */
export function checkAnchors(
  { books, facts }: ChainCheck,
  anchors: readonly ChainAnchor[],
  blocks: readonly BlockRow[],
): Claim {
  const differences = new Differences();
  const blockAt = new Map(blocks.map((block) => [block.size, block]));
  let previousSize = 0n;
  for (const anchor of anchors) {
    const size = Number(anchor.size);
    const name = `the anchor of size ${size}`;
    differences.require(
      anchor.previousSize === previousSize,
      () => `${name} follows size ${anchor.previousSize}, not ${previousSize}`,
    );
    previousSize = anchor.size;
    const tree = facts.trees.get(size);
    if (tree === undefined) {
      differences.add(`${name} covers more than the log's ${facts.leafHashes.length} entries`);
      continue;
    }
    differences.require(
      toHex(tree.root()) === anchor.root,
      () => `${name} has the root ${anchor.root}, the log ${toHex(tree.root())}`,
    );
    const block = blockAt.get(size);
    const digest = block === undefined ? 'none' : toHex(CID.parse(block.cid).multihash.digest);
    differences.require(digest === anchor.cid, () => `${name} names another block than the one that ends there`);
  }
  const onChain = new Map(anchors.map((anchor) => [Number(anchor.size), anchor.transactionHash]));
  for (const row of books.rows('SELECT * FROM anchors')) {
    const size = row.number('size');
    differences.require(
      onChain.get(size) === row.hex('transaction_hash'),
      () => `the ledger's anchor of size ${size} is not on the chain`,
    );
  }
  return differences.toClaim(
    'anchors_match',
    `${anchors.length} anchors on the chain have the roots of the log, up to size ${previousSize}`,
  );
}

/** The escrow has paid what was collected: no more, no less. */
export async function checkEscrow({ client, settings, books, collections }: ChainCheck): Promise<Claim> {
  const differences = new Differences();
  const taken = new Map<Hex, bigint>();
  const underWay = new Map<Hex, bigint>();
  for (const claim of collections.claims) {
    const { channelId, claimed } = claim;
    if (isTaken(claim) && claimed > (taken.get(channelId) ?? 0n)) taken.set(channelId, claimed);
    if (claim.state === 'open') underWay.set(channelId, claimed);
  }
  let total = 0n;
  const channels = [...books.rows('SELECT channel_id, payer, token, accepted_cumulative, deposit FROM channels')];
  for (const row of channels) {
    const channelId = row.hex('channel_id');
    const record = await client.readContract({
      address: settings.contracts.paymentChannels,
      abi: paymentChannelsAbi,
      functionName: 'getChannel',
      args: [channelId],
    });
    const expected = taken.get(channelId) ?? 0n;
    total += record.settled;
    const sameTerms =
      record.payer.toLowerCase() === row.hex('payer') && record.token.toLowerCase() === row.hex('token');
    differences.require(sameTerms, () => `channel ${channelId} is another one on the chain, or none`);
    differences.require(
      record.settled === expected || record.settled === underWay.get(channelId),
      () => `channel ${channelId} has paid ${record.settled} on the chain, and ${expected} by the books`,
    );
    differences.require(
      record.deposit >= row.amount('accepted_cumulative'),
      () => `channel ${channelId} has a voucher above its deposit on the chain`,
    );
  }
  return differences.toClaim(
    'escrow_matches',
    `the escrow has paid ${total} from ${channels.length} channels, as the books say`,
  );
}
