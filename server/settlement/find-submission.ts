import { isAddressEqual, parseAbi, parseEventLogs, type Log } from 'viem';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { exactProxyAddress } from '../../protocol/x402/addresses.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { searchBack } from '../chain/search-back.ts';
import { authorityOf, type TokenPayment } from './payment-payload.ts';

/** What of a chain client is searched with. */
export type SubmissionReader = Pick<
  ChainClient,
  'getBlock' | 'getBlockNumber' | 'getContractEvents' | 'getTransactionReceipt'
>;

/** Where to look. */
export interface SearchOptions {
  client: SubmissionReader;
  desk: Hex;
  /** Of one log query. */
  maxBlocksPerQuery: number;
}

const tokenAbi = parseAbi([
  'event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
]);
const proxyAbi = parseAbi(['event Settled()']);

/** Who brings a payment to the desk before us does so while it is fresh: this many queries back it is looked for. */
const maxQueries = 20;

/** Before the charge a payment waits for its call only, which takes half an hour at most; unused it was when that began. */
const mostBeforeChargeMs = 3_600_000;

/**
 * Looks for the transaction by which somebody else brought a payment to the desk: it used the payment's nonce, and the payer's
 * money came with it. A nonce that was cancelled, or spent on another payment, leaves no such transaction.
 *
 * It looks back through `maxBlocksPerQuery` × 20 blocks at most. Where those do not reach back to the call (after days without a
 * relay, on a chain with fast blocks), nothing is said, so that no payer is blamed for what was not looked at.
 *
 * @returns its hash; undefined if there is none; `unknown` if it may be further back
 * @throws AutoPayError `chain_unavailable`
 */
export async function findSubmission(
  options: SearchOptions,
  payment: TokenPayment & { chargedAtMs: number },
): Promise<Hex | 'unknown' | undefined> {
  const { client, desk } = options;
  const { hash: found, oldest } = await searchRecent(options, async (range) => {
    for (const hash of await listCandidates(client, payment, { desk, ...range })) {
      const { logs } = await client.getTransactionReceipt({ hash });
      if (brought(logs, payment, desk)) return hash;
    }
    return undefined;
  });
  if (found !== undefined || oldest === 0n) return found;
  const { timestamp } = await callChain('the time of a block', () => client.getBlock({ blockNumber: oldest }));
  return Number(timestamp) * 1_000 <= payment.chargedAtMs - mostBeforeChargeMs ? undefined : 'unknown';
}

/**
 * Looks for the transaction by which the desk handed a payment on.
 *
 * @returns its hash; undefined if there is none in the last `maxBlocksPerQuery` × 20 blocks
 * @throws AutoPayError `chain_unavailable`
 */
export async function findReceived(options: SearchOptions, payment: TokenPayment): Promise<Hex | undefined> {
  const { client, desk } = options;
  const args = { authority: authorityOf(payment), from: payment.payer, nonce: payment.nonce };
  const { hash } = await searchRecent(options, async (range) => {
    const contract = { address: desk, abi: paymentDeskAbi, args, ...range } as const;
    const [accepted, attributed] = await Promise.all([
      client.getContractEvents({ ...contract, eventName: 'PaymentAccepted' }),
      client.getContractEvents({ ...contract, eventName: 'PaymentAttributed' }),
    ]);
    return (accepted[0] ?? attributed[0])?.transactionHash;
  });
  return hash;
}

/** Queries the newest blocks first, as far back as is worth it; `oldest` is the last block that was looked at. */
async function searchRecent(
  { client, maxBlocksPerQuery }: SearchOptions,
  look: (range: { fromBlock: bigint; toBlock: bigint }) => Promise<Hex | undefined>,
): Promise<{ hash: Hex | undefined; oldest: bigint }> {
  return callChain('the transaction of a payment', async () => {
    const newest = Number(await client.getBlockNumber());
    const oldest = Math.max(0, newest - maxQueries * maxBlocksPerQuery + 1);
    return { hash: await searchBack({ newest, oldest, maxBlocksPerQuery }, look), oldest: BigInt(oldest) };
  });
}

/** Transactions that may have used it: EIP-3009 tells the nonce, of Permit2 only the transfer is told. */
async function listCandidates(
  client: SubmissionReader,
  { kind, token: address, payer, nonce }: TokenPayment,
  { desk, ...range }: { desk: Hex; fromBlock: bigint; toBlock: bigint },
): Promise<Hex[]> {
  const found =
    kind === 'eip3009'
      ? await client.getContractEvents({
          ...{ address, abi: tokenAbi, eventName: 'AuthorizationUsed', ...range },
          args: { authorizer: payer, nonce },
        })
      : await client.getContractEvents({
          ...{ address, abi: tokenAbi, eventName: 'Transfer', ...range },
          args: { from: payer, to: desk },
        });
  return [...new Set(found.map((log) => log.transactionHash))];
}

function brought(logs: Log[], { kind, token, payer, maximum }: TokenPayment, desk: Hex): boolean {
  const transfers = parseEventLogs({ abi: tokenAbi, eventName: 'Transfer', logs });
  const paid = transfers.some(
    ({ address, args }) =>
      isAddressEqual(address, token) &&
      isAddressEqual(args.from, payer) &&
      isAddressEqual(args.to, desk) &&
      args.value === maximum,
  );
  if (kind === 'eip3009' || !paid) return paid;
  const settled = parseEventLogs({ abi: proxyAbi, eventName: 'Settled', logs });
  return settled.some(({ address }) => isAddressEqual(address, exactProxyAddress));
}
