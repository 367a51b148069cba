import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';

/** The relay's bond in one token, as the chain had it last; atomic units, decimal. */
export interface BondState {
  /** What the relay has put up. */
  amount: string;
  /** The part that open disputes hold. */
  frozen: string;
  /** Booked within budget and not released yet: what the bond has to cover. */
  unreleased: string;
  /** What may still be booked; "0" if the bond covers less than it has to. */
  free: string;
}

/** Keeps an eye on whether the bond lets the relay book what it collects. */
export interface BondWatcher {
  /**
   * Reads the bond of every token, and warns where it has become too small for what waits to be booked.
   * @throws AutoPayError `chain_unavailable`.
   */
  poll(): Promise<void>;
  /** By the token's symbol; empty before the first poll. */
  state(): Readonly<Record<string, BondState>>;
}

/** Makes a watcher of the bond that `autoPayLLM` holds. */
export function createBondWatcher(options: {
  client: ChainClient;
  autoPayLLM: Hex;
  tokens: readonly { symbol: string; address: Hex }[];
  log: JobLog;
}): BondWatcher {
  const { client, autoPayLLM, tokens, log } = options;
  const states: Record<string, BondState> = {};
  /** What was missing when the log last heard of it, by symbol. */
  const told = new Map<string, bigint>();

  function tell(symbol: string, facts: BondState & { unbooked: string }, missing: bigint): void {
    if (missing === (told.get(symbol) ?? 0n)) return;
    told.set(symbol, missing);
    if (missing === 0n) return log.info({ symbol, ...facts }, 'the bond covers what waits to be booked again');
    log.warn(
      { symbol, missing: missing.toString(), ...facts },
      'the bond is too small to book all that was collected: deposit what is missing with AutoPayLLM.depositBond, or wait for releases',
    );
  }

  async function pollToken({ symbol, address }: { symbol: string; address: Hex }): Promise<void> {
    const contract = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
    const [bond, unreleased, unbooked] = await callChain(`the bond in ${symbol}`, () =>
      Promise.all([
        client.readContract({ ...contract, functionName: 'bondOf', args: [address] }),
        client.readContract({ ...contract, functionName: 'unreleased', args: [address] }),
        client.readContract({ ...contract, functionName: 'unbooked', args: [address] }),
      ]),
    );
    const covering = bond.amount - bond.frozen;
    const free = covering > unreleased ? covering - unreleased : 0n;
    const state: BondState = {
      amount: bond.amount.toString(),
      frozen: bond.frozen.toString(),
      unreleased: unreleased.toString(),
      free: free.toString(),
    };
    states[symbol] = state;
    tell(symbol, { ...state, unbooked: unbooked.toString() }, unbooked > free ? unbooked - free : 0n);
  }

  return {
    async poll() {
      for (const token of tokens) await pollToken(token);
    },
    state: () => states,
  };
}
