import type { PublicClient } from 'viem';
import { auditLogAbi } from '../protocol/abi/audit-log.ts';
import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import { fromHex, toHex, type Hex } from '../protocol/bytes/hex.ts';
import { cidOfDigest } from '../protocol/log/batch-block.ts';
import { verifyInclusion } from '../protocol/merkle/inclusion.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { ProvenPriceRow } from '../protocol/pricing/price-tree.ts';
import { parseCallId } from '../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { connect, readNewestAnchor, toAnchorStruct, type ChainAnchor } from './chain-reader.ts';
import { failedClaim, type Claim } from './claims.ts';
import { proveInclusion } from './prove-inclusion.ts';
import { verifyPrice } from './verify-price.ts';
import { recoverReceiptSigner } from './recover-receipt-signer.ts';
import { continues, readBlock, type BlockSource, type WalkedBlock } from './walk-log.ts';

/** What a verification starts from: the chain, and any source of blocks. */
export interface VerifyCallOptions {
  /** The call, as in x-autopay-call-id. */
  callId: string;
  /** The receipt that the client got; with it, its signature is checked too. */
  signedReceipt?: SignedReceipt;
  rpcUrl: string;
  auditLog: Hex;
  autoPayLLM: Hex;
  priceBook: Hex;
  priceOracle: Hex;
  keyRegistry: Hex;
  /** The price table, from anywhere; with it, the amount of the charge is checked too. */
  priceRows?: readonly PriceRow[];
  blockSource: BlockSource;
  /** First block that may hold an event of the contracts. */
  deployedAtBlock: number | bigint;
}

/** What was found out, claim by claim. */
export interface CallVerification {
  /** Every claim holds, and there is one for each step. */
  ok: boolean;
  claims: Claim[];
  /** The logged call; absent if it was not found. */
  call?: LoggedCall;
}

/** A call in the log, with its proof. */
export interface LoggedCall {
  receipt: CallReceipt;
  /** Position in the log. */
  index: number;
  /** CID of its block. */
  cid: string;
  anchor: ChainAnchor;
  /** RFC 6962 path from the entry to the anchored root. */
  path: Hex[];
  /** The row of the price table that the charge goes by; absent on free routes, or where the table was not given. */
  price?: ProvenPriceRow;
}

/** Bounds the walk back through the log. */
const maxBlocks = 100_000;

/**
 * Verifies that a call stands in the anchored log, from the chain and content-addressed blocks alone: it asks neither
 * the relay nor its database. It never throws for what it finds; a step that fails is a claim that fails, and ends it.
 * @throws AutoPayError `invalid_encoding` if the call id is none.
 */
export async function verifyCall(options: VerifyCallOptions): Promise<CallVerification> {
  parseCallId(options.callId);
  const claims: Claim[] = [];
  const client = connect(options.rpcUrl);
  let call: LoggedCall | undefined;
  let step = 'anchored';
  try {
    const anchor = await findAnchor(client, options, claims);
    step = 'blocks_content_addressed';
    const walk = await walkToCall(options, anchor, claims);
    step = 'included';
    call = await proveCall(client, { ...options, anchor, walk }, claims);
    step = 'price';
    if (call.receipt.amount > 0n) {
      const { priceBook, priceOracle, priceRows: rows } = options;
      const { claims: found, price } = await verifyPrice(call.receipt, {
        client,
        contracts: { priceBook, priceOracle },
        rows,
      });
      claims.push(...found);
      if (price) call = { ...call, price };
    }
    step = 'relay_signed';
    if (options.signedReceipt !== undefined) {
      await checkSignature(client, { ...options, signedReceipt: options.signedReceipt, entry: walk.entry }, claims);
    }
  } catch (error) {
    claims.push(failedClaim(step, error));
  }
  return { ok: claims.every((claim) => claim.ok), claims, ...(call === undefined ? {} : { call }) };
}

/** A claim that must hold for the next step to mean anything. */
function demand(claims: Claim[], claim: Claim & { otherwise: string }): void {
  const { name, ok, detail, otherwise } = claim;
  if (!ok) throw new Error(otherwise);
  claims.push({ name, ok, detail });
}

async function findAnchor(client: PublicClient, options: VerifyCallOptions, claims: Claim[]): Promise<ChainAnchor> {
  const { auditLog } = options;
  const anchor = await readNewestAnchor({ client, auditLog, deployedAtBlock: BigInt(options.deployedAtBlock) });
  if (anchor === undefined)
    throw new Error(`AuditLog ${auditLog} has no anchor yet; wait for the relay to anchor, and try again`);
  const stored = await client.readContract({
    address: auditLog,
    abi: auditLogAbi,
    functionName: 'isAnchored',
    args: [toAnchorStruct(anchor)],
  });
  demand(claims, {
    name: 'anchored',
    ok: stored,
    detail: `AuditLog ${auditLog} stores the newest anchor: ${anchor.size} entries, root ${anchor.root}, transaction ${anchor.transactionHash}`,
    otherwise: `AuditLog ${auditLog} denies the anchor of its own event (size ${anchor.size})`,
  });
  return anchor;
}

/** What the walk found. */
interface Walk {
  block: WalkedBlock;
  /** Leaf hashes from the block's start to the end of the log. */
  leafHashes: Uint8Array[];
  entry: Uint8Array;
  index: number;
  receipt: CallReceipt;
}

/** Walks from the anchored block back to the one that holds the call; each block is checked against its CID as it is read. */
async function walkToCall(options: VerifyCallOptions, anchor: ChainAnchor, claims: Claim[]): Promise<Walk> {
  const tails: Uint8Array[][] = [];
  let later: WalkedBlock | undefined;
  let cid = cidOfDigest(fromHex(anchor.cid, 32));
  for (let walked = 1; walked <= maxBlocks; walked += 1) {
    const block = await readBlock(options.blockSource, cid);
    if (later === undefined) requireAnchored(block, anchor);
    else if (!continues(block, later))
      throw new Error(`block ${later.cid.toString()} does not continue block ${cid.toString()}`);
    tails.unshift(block.leafHashes);
    const found = findCall(block, options.callId);
    if (found !== undefined) {
      claims.push({
        name: 'blocks_content_addressed',
        ok: true,
        detail: `${walked} block(s) from ${cidOfDigest(fromHex(anchor.cid, 32)).toString()} back have the bytes that their CIDs name, continue one another and lead to the anchored root`,
      });
      return { block, leafHashes: tails.flat(), ...found };
    }
    if (block.previous === null) break;
    later = block;
    cid = block.previous;
  }
  throw new Error(
    `no entry of the anchored log is call ${options.callId}; if it was made just now, wait for the next anchor`,
  );
}

function requireAnchored(block: WalkedBlock, anchor: ChainAnchor): void {
  if (BigInt(block.tree.size) === anchor.size && toHex(block.tree.root()) === anchor.root) return;
  throw new Error(
    `block ${block.cid.toString()} leads to root ${toHex(block.tree.root())} of size ${block.tree.size}, not to the anchored one`,
  );
}

function findCall(
  block: WalkedBlock,
  callId: string,
): { entry: Uint8Array; index: number; receipt: CallReceipt } | undefined {
  for (const [position, entry] of block.entries.entries()) {
    const receipt = decodeReceipt(entry);
    if (receipt.callId === callId) return { entry, index: block.start + position, receipt };
  }
  return undefined;
}

async function proveCall(
  client: PublicClient,
  facts: VerifyCallOptions & { anchor: ChainAnchor; walk: Walk },
  claims: Claim[],
): Promise<LoggedCall> {
  const { anchor, walk, auditLog } = facts;
  const { block, leafHashes, index, receipt } = walk;
  const leafHash = leafHashes[index - block.start] ?? new Uint8Array();
  const path = proveInclusion({ start: block.start, frontier: block.frontier, leafHashes }, index);
  const size = Number(anchor.size);
  demand(claims, {
    name: 'included',
    ok: verifyInclusion({ leafHash, index, size, path, root: fromHex(anchor.root, 32) }),
    detail: `the receipt is entry ${index} of ${size}: its path of ${path.length} hash(es) leads to the anchored root`,
    otherwise: `the path of entry ${index} does not lead to the anchored root`,
  });
  const hexPath = path.map(toHex);
  const confirmed = await client.readContract({
    address: auditLog,
    abi: auditLogAbi,
    functionName: 'verifyInclusion',
    args: [toAnchorStruct(anchor), BigInt(index), toHex(leafHash), hexPath],
  });
  demand(claims, {
    name: 'included_by_contract',
    ok: confirmed,
    detail: `AuditLog.verifyInclusion on the chain says the same`,
    otherwise: `AuditLog.verifyInclusion on the chain refuses the path of entry ${index}`,
  });
  return { receipt, index, cid: block.cid.toString(), anchor, path: hexPath };
}

async function checkSignature(
  client: PublicClient,
  facts: VerifyCallOptions & { signedReceipt: SignedReceipt; entry: Uint8Array },
  claims: Claim[],
): Promise<void> {
  const { signedReceipt, entry, autoPayLLM, keyRegistry } = facts;
  demand(claims, {
    name: 'receipt_logged',
    ok: Buffer.compare(signedReceipt.entry, entry) === 0,
    detail: 'the receipt that the client was given is the logged entry, byte for byte',
    otherwise: 'the receipt that the client was given differs from the logged entry',
  });
  const chainId = await client.getChainId();
  const signer = recoverReceiptSigner(signedReceipt, { chainId, verifyingContract: autoPayLLM });
  // As BillingDisputes judges: by the key of the signature's time, whoever the relay is today.
  const { signedAtMs } = signedReceipt;
  const isKey = await client.readContract({
    address: keyRegistry,
    abi: keyRegistryAbi,
    functionName: 'isValidAt',
    args: [signer, BigInt(Math.floor(signedAtMs / 1_000))],
  });
  const what = `a receipt key of KeyRegistry ${keyRegistry} at the time of the signature, ${signedAtMs} ms`;
  demand(claims, {
    name: 'relay_signed',
    ok: isKey,
    detail: `the receipt is signed by ${signer}, ${what}`,
    otherwise: `the receipt is signed by ${signer}, which was not ${what}`,
  });
}
