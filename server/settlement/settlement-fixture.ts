import {
  CallExecutionError,
  encodeAbiParameters,
  encodeEventTopics,
  ExecutionRevertedError,
  parseAbi,
  type Hash,
  type TransactionReceipt,
} from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { exactProxyAddress } from '../../protocol/x402/addresses.ts';
import type { TransactionRequest } from '../chain/send-queued-transactions.ts';
import type { DuePayment } from '../ledger/background-ledger.ts';
import { retriedUntilSeconds } from '../ledger/retried-until.ts';
import type { JudgeOptions } from './judge-failure.ts';
import { describePayment, type TokenPayment } from './payment-payload.ts';
import type { PaymentSubmitter } from './settle-payment.ts';
import { createSettlementQueue, type SettlementQueueOptions } from './settlement-queue.ts';

const address = (digits: string): Hex => `0x${digits.repeat(20)}`;

/** Who pays what, in these tests. */
export const contracts = { autoPayLLM: address('aa'), paymentDesk: address('de') };
export const payer = address('11');
export const token = address('22');
export const nowMs = 1_800_000_000_000;

/** A payment as it was signed. */
export function signedPayment(kind: TokenPayment['kind'] = 'eip3009'): TokenPayment {
  const isPermit2 = kind !== 'eip3009';
  return {
    ...{ kind, payer, token, recipient: contracts.paymentDesk, maximum: 1_000n, validAfter: 0n },
    validBefore: BigInt(nowMs / 1_000 + 900),
    nonce: `0x${'44'.repeat(32)}`,
    signature: `0x${'55'.repeat(65)}`,
    spender: isPermit2 ? exactProxyAddress : null,
    facilitator: kind === 'permit2-upto' ? contracts.paymentDesk : null,
  };
}

/** A payment that is due. */
export function duePayment(kind: DuePayment['kind'] = 'eip3009', changes: Partial<DuePayment> = {}): DuePayment {
  const signed = describePayment(signedPayment(kind === 'allowance' ? 'eip3009' : kind));
  const isExact = kind === 'eip3009' || kind === 'permit2-exact';
  return {
    ...signed,
    kind,
    ...(kind === 'allowance' && { payload: '{}', validBefore: null }),
    ...{ state: 'due', callId: '01930000-0000-7000-8000-000000000001', charge: 400n },
    captured: isExact ? 1_000n : 400n,
    ...{ transactionHash: null, lossReason: null, chargedAtMs: nowMs, model: 'gpt', provider: 'openai' },
    ...changes,
  };
}

/** What the chain says; all as the payer would like it, at first. */
export interface ChainWorld {
  balance: bigint;
  allowance: bigint;
  isUsed: boolean;
  /** What the desk has handed on. */
  received: bigint;
  /** What it hands on by the next transaction. */
  arrives: bigint;
  /** Code at the payer's address; undefined for none. */
  code: Hex | undefined;
  /** Whether the payer's side of the settlement would still go through. */
  isPayable: boolean;
  isDown: boolean;
  /** Whether its events are too long ago to be found. */
  isLongAgo: boolean;
  /** The transaction that brought the money without us. */
  submission: 'none' | 'to the desk' | 'to somebody else';
}

/** The hash of the transaction in which the money came without us. */
export const submissionHash: Hash = `0x${'77'.repeat(32)}`;

const eventAbi = parseAbi([
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'event Settled()',
]);

function submissionLogs({ submission }: ChainWorld) {
  const to = submission === 'to the desk' ? contracts.paymentDesk : address('99');
  const transfer = {
    address: token,
    topics: encodeEventTopics({ abi: eventAbi, eventName: 'Transfer', args: { from: payer, to } }),
    data: encodeAbiParameters([{ type: 'uint256' }], [1_000n]),
  };
  const settled = {
    address: exactProxyAddress,
    topics: encodeEventTopics({ abi: eventAbi, eventName: 'Settled' }),
    data: '0x',
  };
  return [transfer, settled];
}

/** A chain that is what `world` says, at the time of each read. */
export function fakeChain(world: ChainWorld): JudgeOptions['client'] {
  const reads: Record<string, () => unknown> = {
    balanceOf: () => world.balance,
    allowance: () => world.allowance,
    authorizationState: () => world.isUsed,
    nonceBitmap: () => (world.isUsed ? (1n << 256n) - 1n : 0n),
    receivedOf: () => world.received,
  };
  const answer = async <T>(give: () => T): Promise<T> => {
    if (world.isDown) throw new AutoPayError('chain_unavailable', 'The chain is down.');
    return give();
  };
  const client = {
    getCode: () => answer(() => world.code),
    getBlockNumber: () => answer(() => 25_000n),
    readContract: ({ functionName }: { functionName: string }) => answer(() => reads[functionName]?.()),
    call: () =>
      answer(() => {
        if (world.isPayable && !world.isUsed) return { data: '0x' };
        throw new CallExecutionError(new ExecutionRevertedError({ message: 'reverted' }), {});
      }),
    getContractEvents: ({ eventName, fromBlock }: { eventName: string; fromBlock: bigint }) =>
      answer(() => {
        const isOurs = eventName.startsWith('Payment');
        const isThere = isOurs ? world.received > 0n && eventName === 'PaymentAccepted' : world.submission !== 'none';
        // It lies some queries back.
        return isThere && !world.isLongAgo && fromBlock <= 100n ? [{ transactionHash: submissionHash }] : [];
      }),
    getTransactionReceipt: () => answer(() => ({ logs: submissionLogs(world) }) as unknown as TransactionReceipt),
  };
  return client as unknown as JudgeOptions['client'];
}

/** A settlement queue with books in memory, on a chain and a transaction queue that the test sets. */
export function createSettlementFixture(payments: DuePayment[], options: { submitter?: PaymentSubmitter } = {}) {
  const world: ChainWorld = {
    ...{ balance: 10_000n, allowance: 10_000n, isUsed: false, isPayable: true, isDown: false, isLongAgo: false },
    ...{ received: 0n, arrives: 1_000n, code: undefined, submission: 'none' },
  };
  const clock = { nowMs };
  const books = new Map(payments.map((payment) => [payment.paymentId, payment]));
  const sent: TransactionRequest[] = [];
  /** What an earlier process signed, by its purpose. */
  const signed = new Map<string, () => Promise<Pick<TransactionReceipt, 'transactionHash' | 'blockNumber'>>>();
  const logged: { level: string; facts: object; message: string }[] = [];
  const update = (paymentId: Hex, changes: Partial<DuePayment>) => {
    const payment = books.get(paymentId);
    if (payment !== undefined) books.set(paymentId, { ...payment, ...changes });
    return Promise.resolve();
  };
  const list = (state: DuePayment['state']) => [...books.values()].filter((payment) => payment.state === state);
  const idsOf = (payments: DuePayment[]) => payments.map(({ paymentId }) => paymentId);
  const log = (level: string) => (facts: object, message: string) => void logged.push({ level, facts, message });
  const ledger: SettlementQueueOptions['ledger'] = {
    getPayment: (id) => Promise.resolve(books.get(id)),
    getDuePayment: (id) => Promise.resolve([...list('due'), ...list('lost')].find(({ paymentId }) => paymentId === id)),
    listDuePayments: ({ limit }) => Promise.resolve(list('due').slice(0, limit)),
    listRetriedLosses: ({ nowSeconds }) =>
      Promise.resolve(idsOf(list('lost').filter((loss) => nowSeconds < retriedUntilSeconds(loss)))),
    listCarriedPayments: () =>
      Promise.resolve(
        idsOf([...list('lost'), ...list('forgiven')]).filter(
          (id) => signed.has(`pay:${id}`) || signed.has(`attribute:${id}`),
        ),
      ),
    countPayments: () => Promise.resolve({ due: list('due').length, lost: list('lost').length }),
    settlePayment: ({ paymentId, transactionHash }) => update(paymentId, { state: 'settled', transactionHash }),
    losePayment: ({ paymentId, reason }) => update(paymentId, { state: 'lost', lossReason: reason }),
  };
  const hooks = {
    /** What the transaction queue does; the test may put something else here. */
    send: ({ purpose }: TransactionRequest): Promise<{ transactionHash: Hex }> => {
      world.received = world.arrives;
      return Promise.resolve({ transactionHash: `0x${(purpose.startsWith('pay') ? 'bb' : 'cc').repeat(32)}` });
    },
  };
  const queue = createSettlementQueue({
    ...{ client: fakeChain(world), contracts, maxBlocksPerQuery: 10_000, ledger, ...options },
    queue: {
      send: async (request) => {
        sent.push(request);
        return (await hooks.send(request)) as TransactionReceipt;
      },
      follow: async (purpose) => (await signed.get(purpose)?.()) as TransactionReceipt | undefined,
    },
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    nowMs: () => clock.nowMs,
    waitMs: 50,
  });
  return Object.assign(hooks, {
    ...{ clock, world, books, sent, signed, logged, queue },
    stateOf: (payment: DuePayment) => books.get(payment.paymentId),
  });
}

/** What the transaction queue throws when the chain refuses. */
export function reverted(contractError = 'Error'): AutoPayError {
  const facts = { contractError, contractErrorArguments: '' };
  return new AutoPayError('transaction_reverted', `The chain refused: ${contractError}.`, { facts });
}
