import type { PublicClient } from 'viem';
import { auditLogAbi } from '../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import { modelBudgetsAbi } from '../protocol/abi/model-budgets.ts';
import { paymentChannelsAbi } from '../protocol/abi/payment-channels.ts';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { keccak256 } from '../protocol/bytes/keccak256.ts';
import type { ContractAddresses } from '../protocol/deployment/deployment-schema.ts';
import { blockRanges, connect, toAnchorStruct, type ChainAnchor } from './chain-reader.ts';
import { readSettledAt } from './read-settlements.ts';

/** The contracts that a verification asks. */
export type AuditContracts = Pick<
  ContractAddresses,
  | 'paymentChannels'
  | 'autoPayLLM'
  | 'auditLog'
  | 'modelBudgets'
  | 'priceBook'
  | 'priceOracle'
  | 'keyRegistry'
  | 'billingDisputes'
>;

/** A deployment on a chain, and how it is reached. */
export interface AuditDeployment {
  rpcUrl: string;
  /** Of the deployment; an endpoint of another chain is refused. */
  chainId: number;
  contracts: AuditContracts;
  /** First block that may hold an event of the contracts. */
  deployedAtBlock: number;
}

/** A part of a booking: what collected money was for. Amounts are atomic units. */
export interface BookedPart {
  batchId: bigint;
  /** Entries that the log has to have, anchored, before it is released. */
  logSize: number;
  /** UTC day. */
  day: number;
  /** keccak256 of the name. */
  model: Hex;
  /** keccak256 of the name. */
  provider: Hex;
  amount: bigint;
  withinBudget: boolean;
}

/** What a verification asks the chain. Each throws what the endpoint's client throws. */
export interface AuditChain {
  client: PublicClient;
  deployment: AuditDeployment;
  isAnchored(anchor: ChainAnchor): Promise<boolean>;
  includes(anchor: ChainAnchor, leaf: { index: number; leafHash: Uint8Array; path: readonly Hex[] }): Promise<boolean>;
  /** Whether a key signed receipts at a time, unix milliseconds. */
  isReceiptKey(key: Hex, atMs: number): Promise<boolean>;
  /** What the escrow has paid of a channel, and to whom it belongs. */
  readChannel(channelId: Hex): Promise<{ payer: Hex; token: Hex; settled: bigint }>;
  /** What the escrow had paid of a channel so long before the newest block, atomic units. */
  settledBefore(channelId: Hex, agoMs: number): Promise<bigint>;
  /** Channels that a payer opened for this relay. */
  listChannels(payer: Hex): Promise<Hex[]>;
  /** What was booked for a model on a UTC day, and its limit; AGPT wei. */
  readBudget(model: string, day: number): Promise<{ spent: bigint; limit: bigint }>;
  /** Bookings of a token that cover more than `size` entries, newest first. */
  listBooked(token: Hex, size: number): Promise<BookedPart[]>;
  /** Whether a batch's credits are released: those within budget, those over it. */
  readBatch(batchId: bigint): Promise<{ released: boolean; overBudgetReleased: boolean }>;
  /** What went back of a fixed-price payment for a call, atomic units; undefined if nothing did. */
  findRefund(payer: Hex, callId: string): Promise<bigint | undefined>;
  /** What an allowance paid for a call, AGPT wei; 0 if it was not paid so. */
  costOfCall(callId: string): Promise<bigint>;
  /** How long after its charge a receipt may come into the log, milliseconds. */
  maxMergeDelayMs(): Promise<number>;
}

/** The id of a name on the chain. */
export function idOfName(name: string): Hex {
  return toHex(keccak256(Buffer.from(name, 'utf8')));
}

/** Opens the chain of a deployment; nothing is asked yet. */
export function openAuditChain(deployment: AuditDeployment): AuditChain {
  const { rpcUrl, contracts } = deployment;
  const client = connect(rpcUrl);
  const log = { address: contracts.auditLog, abi: auditLogAbi } as const;
  const business = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const budgets = { address: contracts.modelBudgets, abi: modelBudgetsAbi } as const;
  const ranges = () => blockRanges(client, BigInt(deployment.deployedAtBlock));
  return {
    client,
    deployment,
    isAnchored: (anchor) => client.readContract({ ...log, functionName: 'isAnchored', args: [toAnchorStruct(anchor)] }),
    includes: (anchor, { index, leafHash, path }) =>
      client.readContract({
        ...log,
        functionName: 'verifyInclusion',
        args: [toAnchorStruct(anchor), BigInt(index), toHex(leafHash), [...path]],
      }),
    isReceiptKey: (key, atMs) =>
      client.readContract({
        ...{ address: contracts.keyRegistry, abi: keyRegistryAbi, functionName: 'isValidAt' },
        args: [key, BigInt(Math.floor(atMs / 1_000))],
      }),
    async readChannel(channelId) {
      const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
      const { payer, token, settled } = await client.readContract({
        ...escrow,
        functionName: 'getChannel',
        args: [channelId],
      });
      return { payer: payer.toLowerCase() as Hex, token: token.toLowerCase() as Hex, settled };
    },
    async settledBefore(channelId, agoMs) {
      const { timestamp } = await client.getBlock();
      return readSettledAt(client, { deployment, channelId, atMs: Number(timestamp) * 1_000 - agoMs });
    },
    listChannels: (payer) => listChannels(client, { deployment, payer }),
    async readBudget(model, day) {
      const args = [idOfName(model), day] as const;
      const [spent, limit] = await Promise.all([
        client.readContract({ ...budgets, functionName: 'spentOf', args }),
        client.readContract({ ...budgets, functionName: 'limitOf', args }),
      ]);
      return { spent, limit };
    },
    listBooked: (token, size) => listBooked(client, { deployment, token, size }),
    readBatch: (batchId) => client.readContract({ ...business, functionName: 'getBatch', args: [batchId] }),
    async findRefund(payer, callId) {
      for (const range of await ranges()) {
        const events = await client.getContractEvents({
          ...{ ...business, ...range, eventName: 'Refunded', args: { to: payer }, strict: true },
        });
        const found = events.find(({ args }) => args.callId === bytesOfCallId(callId));
        if (found) return found.args.amount;
      }
      return undefined;
    },
    costOfCall: (callId) =>
      client.readContract({ ...business, functionName: 'costOfCall', args: [bytesOfCallId(callId)] }),
    async maxMergeDelayMs() {
      const disputes = { address: contracts.billingDisputes, abi: billingDisputesAbi } as const;
      return Number(await client.readContract({ ...disputes, functionName: 'maxMergeDelay' })) * 1_000;
    },
  };
}

function bytesOfCallId(callId: string): Hex {
  return `0x${callId.replaceAll('-', '')}`;
}

async function listChannels(
  client: PublicClient,
  { deployment, payer }: { deployment: AuditDeployment; payer: Hex },
): Promise<Hex[]> {
  const { contracts } = deployment;
  const channels: Hex[] = [];
  for (const range of await blockRanges(client, BigInt(deployment.deployedAtBlock))) {
    const events = await client.getContractEvents({
      ...{ address: contracts.paymentChannels, abi: paymentChannelsAbi, eventName: 'ChannelOpened' },
      ...{ args: { payer, payee: contracts.autoPayLLM }, ...range, strict: true },
    });
    channels.push(...events.map(({ args }) => args.channelId));
  }
  return channels;
}

async function listBooked(
  client: PublicClient,
  { deployment, token, size }: { deployment: AuditDeployment; token: Hex; size: number },
): Promise<BookedPart[]> {
  const parts: BookedPart[] = [];
  const business = { address: deployment.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  for (const range of await blockRanges(client, BigInt(deployment.deployedAtBlock))) {
    const events = await client.getContractEvents({
      ...{ ...business, ...range, eventName: 'Booked', args: { token }, strict: true },
    });
    let isBefore = false;
    for (const { args } of events.toReversed()) {
      const logSize = Number(args.logSize);
      if (logSize <= size) isBefore ||= args.spends.length > 0;
      else {
        for (const { day, model, provider, amount, withinBudget } of args.spends) {
          parts.push({ batchId: args.batchId, logSize, day, model, provider, amount, withinBudget });
        }
      }
    }
    // Bookings cover ever more of the log; those of one range may come in another order.
    if (isBefore) return parts;
  }
  return parts;
}
