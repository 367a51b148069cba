import { parseAbi } from 'viem';
import { autoPayLlmAbi } from '../../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { callChain } from '../../chain/call-chain.ts';
import type { ChainClient } from '../../chain/create-chain-client.ts';

/** What calls may take from a wallet's AGPT allowance; AGPT wei. */
export interface Allowance {
  /** The least of the three below: what the relay could take now. */
  available: bigint;
  allowance: bigint;
  balance: bigint;
  /** What is left of the wallet's own cap for this UTC day; 2^128 − 1 or little less without one. */
  leftToday: bigint;
}

/** Reads allowances from the chain. */
export interface AllowanceReader {
  /**
   * What a wallet allows, not older than `allowanceLifetimeMs`; if that is less than what is wanted, not older than
   * `refreshIntervalMs`: the wallet may have approved more since.
   * @throws AutoPayError `chain_unavailable`, `overloaded` if too many are being read
   */
  read(payer: Hex, wanted?: bigint): Promise<Allowance>;
  /** A payment of the wallet has moved money: what was read before does not count any more. */
  forget(payer: Hex): void;
}

/** How long a reading counts, milliseconds: a burst of calls shares one. */
export const allowanceLifetimeMs = 1_000;
/** Between two readings for a wallet that allows too little. */
export const refreshIntervalMs = 200;
const maxRemembered = 1_000;
const maxConcurrent = 64;

const erc20 = parseAbi([
  'function allowance(address owner, address spender) view returns (uint256)',
  'function balanceOf(address account) view returns (uint256)',
]);

/** A reading that several calls share. */
interface Entry {
  reading: Promise<Allowance>;
  startedAtMs: number;
  /** Null while it is under way. */
  doneAtMs: number | null;
  /** Money has moved since: what it says may have been taken already. */
  isForgotten: boolean;
}

/** A wallet whose money moves all the time is not read for ever. */
const maxRounds = 3;

/** @param options.agpt the token of allowances */
export function createAllowanceReader(options: {
  client: Pick<ChainClient, 'readContract'>;
  agpt: Hex;
  autoPayLLM: Hex;
  /** Unix milliseconds. */
  nowMs: () => number;
}): AllowanceReader {
  const { nowMs } = options;
  const entries = new Map<Hex, Entry>();

  function start(payer: Hex): Entry {
    if ([...entries.values()].filter(({ doneAtMs }) => doneAtMs === null).length >= maxConcurrent) {
      throw new AutoPayError('overloaded', 'Too many allowances are being read. Try again in a second.');
    }
    const reading = readAllowance(options, payer);
    const entry: Entry = { reading, startedAtMs: nowMs(), doneAtMs: null, isForgotten: false };
    reading.then(
      () => (entry.doneAtMs = nowMs()),
      () => {
        if (entries.get(payer) === entry) entries.delete(payer);
      },
    );
    entries.delete(payer);
    entries.set(payer, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxRemembered && oldest !== undefined) entries.delete(oldest);
    return entry;
  }

  /** Whether a reading may be used by a call that comes now. */
  function isFresh({ doneAtMs, startedAtMs }: Entry): boolean {
    return doneAtMs === null || nowMs() < startedAtMs + allowanceLifetimeMs;
  }

  return {
    async read(payer, wanted = 0n) {
      for (let round = 1; ; round += 1) {
        const known = entries.get(payer);
        const entry = known && isFresh(known) ? known : start(payer);
        const allowance = await entry.reading;
        if (round === maxRounds) return allowance;
        const isRecent = nowMs() < (entry.doneAtMs ?? nowMs()) + refreshIntervalMs;
        if (!entry.isForgotten && (allowance.available >= wanted || isRecent)) return allowance;
        if (entries.get(payer) === entry) entries.delete(payer);
      }
    },
    forget(payer) {
      const entry = entries.get(payer);
      if (entry) entry.isForgotten = true;
      entries.delete(payer);
    },
  };
}

async function readAllowance(
  { client, agpt, autoPayLLM }: Parameters<typeof createAllowanceReader>[0],
  payer: Hex,
): Promise<Allowance> {
  // Asked together, so that they are one request to the endpoint.
  const [allowance, balance, [cap, spentToday]] = await callChain(`the allowance of ${payer}`, () =>
    Promise.all([
      client.readContract({ address: agpt, abi: erc20, functionName: 'allowance', args: [payer, autoPayLLM] }),
      client.readContract({ address: agpt, abi: erc20, functionName: 'balanceOf', args: [payer] }),
      client.readContract({ address: autoPayLLM, abi: autoPayLlmAbi, functionName: 'dailyCapOf', args: [payer] }),
    ]),
  );
  // A cap that was lowered may lie below what was spent.
  const leftToday = cap > spentToday ? cap - spentToday : 0n;
  const available = [allowance, balance, leftToday].reduce((least, value) => (value < least ? value : least));
  return { available, allowance, balance, leftToday };
}
