import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import {
  disputeKinds,
  disputeStates,
  type DisputeKind,
  type DisputeState,
} from '../../protocol/disputes/dispute-kinds.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { describeError } from '../log.ts';
import { answerChallenge, type AnswerChallengeDeps } from './answer-challenge.ts';
import type { Challenge } from './find-answer.ts';

/** What watching disputes works with. */
export interface DisputeWatcherOptions extends AnswerChallengeDeps {
  client: ChainClient;
  ledger: AnswerChallengeDeps['ledger'] & Pick<BackgroundLedger, 'getState' | 'setState'>;
  log: JobLog;
}

/** A dispute that is not decided, as an operator has to know of it. */
export interface OpenDispute {
  id: string;
  kind: DisputeKind;
  channelId: Hex;
  /** ERC-20 token of the amounts. */
  token: Hex;
  /** What is claimed; atomic units, decimal. */
  amount: string;
  /** What of the relay's bond is held; atomic units, decimal. */
  frozen: string;
  /** Unix seconds until which the relay may answer, or the Governor rule. */
  endsAt: number;
  /** Why the relay could not answer so far; null if there is nothing to answer. */
  missing: string | null;
}

/** The open disputes. */
export interface DisputesState {
  /** Those that end first, at most `maxShown`. */
  open: readonly OpenDispute[];
  openCount: number;
}

/** Keeps an eye on the disputes against the relay, and answers the challenges among them. */
export interface DisputeWatcher {
  /**
   * Reads what is new, and answers every open challenge. It MUST NOT run twice at the same time.
   * @throws AutoPayError `chain_unavailable`; what hinders one answer is logged and tried again, and holds up no other.
   */
  poll(): Promise<void>;
  /** As last read; empty before the first poll. */
  state(): DisputesState;
}

/** The most disputes that `state` lists. */
export const maxShown = 20;

/** Under this key the ledger keeps what was seen: the next id, and the ids that were open. */
const stateKey = 'watch_disputes.seen';

/** The newest disputes are looked at again each time, because a reorganisation may have put others in their places. */
const newestLookedAt = 8;

/** What was seen of the disputes, by id; null where it is only known that there is one. */
interface Seen {
  next: number;
  open: Map<number, OpenDispute | null>;
}

/**
 * Makes a watcher that continues where an earlier process stopped. Disputes are numbered without gaps, and the contract has
 * their records: an event that an endpoint keeps back hides none of them.
 */
export function createDisputeWatcher(options: DisputeWatcherOptions): DisputeWatcher {
  const { client, billingDisputes, ledger, log } = options;
  const look = createLook(options);
  let seen: Seen | undefined;
  let stored: string | undefined;

  async function load(): Promise<Seen> {
    stored = await ledger.getState(stateKey);
    const { next, open } = JSON.parse(stored ?? '{"next":1,"open":[]}') as { next: number; open: number[] };
    return { next, open: new Map(open.map((id) => [id, null])) };
  }

  async function store({ next, open }: Seen): Promise<void> {
    const text = JSON.stringify({ next, open: [...open.keys()] });
    if (text !== stored) await ledger.setState(stateKey, text);
    stored = text;
  }

  return {
    async poll() {
      seen ??= await load();
      const { next, open } = seen;
      const contract = { address: billingDisputes, abi: billingDisputesAbi } as const;
      const count = Number(
        await callChain('the number of disputes', () =>
          client.readContract({ ...contract, functionName: 'disputeCount' }),
        ),
      );
      const first = Math.max(1, Math.min(next, count + 1) - newestLookedAt);
      const newest = Array.from({ length: Math.max(0, count + 1 - first) }, (_, offset) => first + offset);
      for (const id of new Set([...open.keys(), ...newest])) {
        const now = await look(id, open.get(id) ?? null);
        if (typeof now !== 'string') open.set(id, now);
        else if (open.delete(id) || id >= next) tellEnd(log, id, now);
      }
      seen.next = Math.max(next, count + 1);
      await store(seen);
    },
    state() {
      const open = [...(seen?.open.values() ?? [])].filter((dispute) => dispute !== null);
      const soonest = open.toSorted((a, b) => a.endsAt - b.endsAt);
      return { open: soonest.slice(0, maxShown), openCount: open.length };
    },
  };
}

function tellEnd(log: JobLog, disputeId: number, state: DisputeState): void {
  if (state === 'upheld') log.warn({ disputeId, state }, 'a dispute against the relay was upheld: its bond pays');
  else log.info({ disputeId, state }, 'a dispute has ended');
}

/**
 * Makes what looks at one dispute after the other, and does what can be done: the open dispute, how it ended, or null if
 * the endpoint does not have it (it is behind, or a reorganisation undid it).
 */
function createLook(options: DisputeWatcherOptions) {
  const { client, billingDisputes, log } = options;
  const contract = { address: billingDisputes, abi: billingDisputesAbi } as const;
  let windows: { answer: number; ruling: number } | undefined;

  async function readWindows(): Promise<{ answer: number; ruling: number }> {
    if (windows !== undefined) return windows;
    const [answer, ruling] = await Promise.all([
      client.readContract({ ...contract, functionName: 'ANSWER_WINDOW' }),
      client.readContract({ ...contract, functionName: 'RULING_WINDOW' }),
    ]);
    return (windows = { answer: Number(answer), ruling: Number(ruling) });
  }

  return async function look(id: number, before: OpenDispute | null): Promise<OpenDispute | DisputeState | null> {
    const { record, now, endsAfter } = await callChain(`dispute ${id}`, async () => ({
      record: await client.readContract({ ...contract, functionName: 'getDispute', args: [BigInt(id)] }),
      now: Number((await client.getBlock()).timestamp),
      endsAfter: await readWindows(),
    }));
    const state = disputeStates[record.state] ?? 'none';
    if (state === 'none') return null;
    if (state !== 'open') return state;
    const kind = disputeKinds[record.kind] ?? 'none';
    const dispute: OpenDispute = {
      ...{ id: String(id), kind, channelId: record.channelId, token: record.token.toLowerCase() as Hex },
      ...{ amount: String(record.amount), frozen: String(record.frozen), missing: null },
      endsAt: record.openedAt + (kind === 'metering' ? endsAfter.ruling : endsAfter.answer),
    };
    if (before === null) log.warn({ ...dispute }, openings[kind] ?? 'a dispute was opened');
    if (kind !== 'not-in-log' && kind !== 'settled-beyond-receipt') return dispute;
    const { channelId, leaf, settled, openedAt } = record;
    const challenge = { id: BigInt(id), kind, channelId, leaf, settled, openedAt, sequence: Number(record.sequence) };
    const missing = now < dispute.endsAt ? await answer(options, challenge) : 'the time to answer is over';
    if (missing === null) return 'answered';
    if (missing !== before?.missing) {
      const deadline = new Date(dispute.endsAt * 1_000).toISOString();
      const facts = { disputeId: id, kind, channelId, amount: dispute.amount, deadline, missing };
      log.error(facts, "a challenge is not answered: after its deadline the claim is taken from the relay's bond");
    }
    return { ...dispute, missing };
  };
}

const openings: Partial<Record<DisputeKind, string>> = {
  'not-in-log': 'a payer says that a receipt is not in the log; answering',
  'settled-beyond-receipt': 'a payer asks what its channel was settled for; answering',
  metering: 'a payer disputes how a call was metered: the Governor may rule',
};

/** Null once it is answered, else why it is not. */
async function answer(options: DisputeWatcherOptions, challenge: Challenge): Promise<string | null> {
  try {
    return await answerChallenge(options, challenge);
  } catch (error) {
    return `the answer failed: ${describeError(error).message}`;
  }
}
