import { fromHex, toHex, type Hex } from '../protocol/bytes/hex.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import { verifyInclusion } from '../protocol/merkle/inclusion.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import type { ProvenPriceRow } from '../protocol/pricing/price-tree.ts';
import { parseCallId } from '../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { openAuditChain, type AuditChain, type AuditDeployment } from './audit-chain.ts';
import type { ChainAnchor } from './chain-reader.ts';
import { findAnchor, headOf } from './find-anchor.ts';
import { findCall, type CallPlace } from './find-call.ts';
import { ClaimList, type CheckedClaim, type ClaimName } from './verification.ts';
import { createChannelView, verifyChannel, type ChannelView } from './verify-channel.ts';
import { verifyLogState, type LogMemory, type LogVerdict } from './verify-log-state.ts';
import { verifyPrice } from './verify-price.ts';
import { verifySigner } from './verify-signer.ts';
import { verifySpending } from './verify-spending.ts';
import type { LogSource } from './verify-checkpoint.ts';
import { LogWalk, type BlockSource } from './walk-log.ts';

/** What a verification starts from: the chain, and any source of blocks. */
export interface VerifyCallOptions extends AuditDeployment, LogMemory {
  /** The call, as in x-autopay-call-id. */
  callId: string;
  /** The receipt that the client got; with it, its signature is checked too. */
  signedReceipt?: SignedReceipt;
  /** All receipts of the same wallet: the neighbours of this one are among them. */
  receipts?: readonly SignedReceipt[];
  /** Price tables, from anywhere; with the one that the receipt names, the amount of the charge is checked too. */
  priceTables?: readonly (readonly PriceRow[])[];
  blockSource: BlockSource;
  /** The relay's own log; with it, what the relay signs now is held against what is anchored. */
  logSource?: LogSource;
}

/** What was found out, claim by claim. */
export interface CallVerification extends LogVerdict {
  /** No claim fails, and those that a verification is about were checked: see `mandatoryClaims`. */
  ok: boolean;
  claims: CheckedClaim[];
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

/** Without these nothing is verified. */
const mandatoryClaims: readonly ClaimName[] = [
  'anchored',
  'blocks_content_addressed',
  'codec',
  'included',
  'included_by_contract',
];

/**
 * Verifies a call, from the chain and content-addressed blocks alone: it asks neither the relay nor its database, and believes the
 * relay's own log, where it is given, in nothing. It never throws for what it finds: what does not hold is a claim that fails, and what
 * could not be checked says so.
 * @throws AutoPayError `invalid_encoding` if the call id is none.
 */
export async function verifyCall(options: VerifyCallOptions): Promise<CallVerification> {
  parseCallId(options.callId);
  const claims = new ClaimList();
  const chain = openAuditChain(options);
  const found: { call?: LoggedCall; verdict?: LogVerdict } = {};
  const mandatory = [...mandatoryClaims];
  let anchor: ChainAnchor | undefined;
  await claims.run('anchored', async () => {
    anchor = await findAnchor(chain, claims);
  });
  if (anchor !== undefined) {
    const walk = new LogWalk(options.blockSource, headOf(anchor));
    const view = await createChannelView(chain, options);
    const place = await findCall(claims, { walk, view, anchor, ...options });
    const origin = originOf({ chainId: options.chainId, autoPayLLM: options.contracts.autoPayLLM });
    found.verdict = await verifyLogState(claims, { ...options, chain, origin, anchor, walk });
    const call = place && (await checkCall(claims, { chain, options, anchor, place, view, mandatory }));
    if (call) found.call = call;
  }
  return {
    ok: claims.isVerified(mandatory),
    claims: claims.all,
    ...found.verdict,
    ...(found.call && { call: found.call }),
  };
}

interface FoundCall {
  chain: AuditChain;
  options: VerifyCallOptions;
  anchor: ChainAnchor;
  place: CallPlace;
  view: ChannelView | undefined;
  /** Grows by what this call has to be checked for. */
  mandatory: ClaimName[];
}

async function checkCall(claims: ClaimList, found: FoundCall): Promise<LoggedCall | undefined> {
  const { chain, options, anchor, place, view, mandatory } = found;
  let receipt: CallReceipt | undefined;
  await claims.run('codec', () => {
    receipt = decodeReceipt(place.entry);
    claims.add(
      'codec',
      true,
      'the entry is the one canonical encoding of a CallReceipt: it encodes to the same bytes again',
    );
  });
  if (receipt === undefined) return undefined;
  await checkInclusion(claims, found);
  const { signedReceipt } = options;
  if (signedReceipt === undefined) {
    claims.leave('relay_signed', 'the wallet has no receipt of the call; the log alone carries no signature');
  } else {
    mandatory.push('receipt_logged', 'relay_signed');
    await claims.run('receipt_logged', () =>
      claims.demand('receipt_logged', Buffer.compare(signedReceipt.entry, place.entry) === 0, {
        detail: 'the receipt that the client was given is the logged entry, byte for byte',
        otherwise: 'the receipt that the client was given differs from the logged entry',
      }),
    );
    await verifySigner(claims, chain, signedReceipt);
  }
  const { index, block, path } = place;
  const call: LoggedCall = { receipt, index, cid: block.cid.toString(), anchor, path: path.map(toHex) };
  const settled = await verifyChannel(claims, { chain, receipt, view, anchor });
  const price = await checkPrice(claims, { chain, receipt, tables: options.priceTables ?? [], mandatory });
  await verifySpending(claims, { chain, receipt, index, settled });
  return price ? { ...call, price } : call;
}

async function checkInclusion(claims: ClaimList, { chain, anchor, place }: FoundCall): Promise<void> {
  const { index, leafHash, path } = place;
  const size = Number(anchor.size);
  await claims.run('included', () =>
    claims.demand('included', verifyInclusion({ leafHash, index, size, path, root: fromHex(anchor.root, 32) }), {
      detail: `the receipt is entry ${index} of ${size}: its path of ${path.length} hash(es) leads to the anchored root`,
      otherwise: `the path of entry ${index} does not lead to the anchored root`,
    }),
  );
  await claims.run('included_by_contract', async () =>
    claims.demand('included_by_contract', await chain.includes(anchor, { index, leafHash, path: path.map(toHex) }), {
      detail: 'AuditLog.verifyInclusion on the chain says the same',
      otherwise: `AuditLog.verifyInclusion on the chain refuses the path of entry ${index}`,
    }),
  );
}

async function checkPrice(
  claims: ClaimList,
  parts: {
    chain: AuditChain;
    receipt: CallReceipt;
    tables: readonly (readonly PriceRow[])[];
    mandatory: ClaimName[];
  },
): Promise<ProvenPriceRow | undefined> {
  const { chain, receipt, tables, mandatory } = parts;
  if (receipt.amount === 0n) {
    claims.add('price', true, 'nothing was charged');
    return undefined;
  }
  mandatory.push('prices_published');
  let price: ProvenPriceRow | undefined;
  await claims.run('prices_published', async () => {
    const found = await verifyPrice(receipt, { client: chain.client, contracts: chain.deployment.contracts, tables });
    claims.all.push(...found.claims);
    price = found.price;
  });
  return price;
}
