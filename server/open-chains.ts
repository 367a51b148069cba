import { setTimeout as sleep } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { budgetsFromHome } from './call-across-chains.ts';
import type { ChainConfig } from './config/relay-config.ts';
import type { RelayLedger } from './ledger/open-ledger.ts';
import { describeError, type Log } from './log.ts';
import { openChain, type OpenChainOptions, type RelayChain } from './open-chain.ts';

/** The chains of a relay: the home chain first. */
export type RelayChains = readonly [RelayChain, ...RelayChain[]];

/** The chains of a relay, those included that are opened later. */
export interface OpenedChains {
  /** Those that could be opened. */
  chains: RelayChains;
  /**
   * Goes on to open those that could not be reached, until each is open.
   * @param onOpen takes up the work on one; if that fails, the chain is closed, and tried again
   */
  openOthers(onOpen: (chain: RelayChain) => Promise<void>): void;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** What chains are opened with. */
export interface OpenChainsOptions extends Omit<OpenChainOptions, 'budgets' | 'ledger'> {
  ledger: RelayLedger;
  /** How often a chain is tried that could not be reached. */
  retryIntervalMs?: number;
}

/**
 * Opens the chains of a configuration: the home chain, whose votes set the budgets, and then the others. One of those that cannot be
 * reached does not stop the rest; nothing is sold there until it can.
 *
 * @throws AutoPayError as `openChain`, but for `chain_unavailable` of another chain than home; nothing is left open then
 */
export async function openChains(options: OpenChainsOptions): Promise<OpenedChains> {
  const { config, ledger, log, retryIntervalMs = 5_000 } = options;
  const stopping = new AbortController();
  const home = await openChain({ ...options, ledger: ledger.on(config.chain.id) });
  const opened: [RelayChain, ...RelayChain[]] = [home];
  const unreached: ChainConfig[] = [];
  const late: Promise<void>[] = [];

  const openOther = (own: ChainConfig) => openOtherChain(options, { own, home });
  const close = async () => {
    stopping.abort();
    await Promise.all(late);
    for (const chain of opened.toReversed()) await chain.close();
  };

  async function openLate(own: ChainConfig, onOpen: (chain: RelayChain) => Promise<void>): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(retryIntervalMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        const chain = await openOther(own);
        await onOpen(chain).catch(async (error: unknown) => {
          await chain.close();
          throw error;
        });
        opened.push(chain);
        return log.info({ chainId: own.chain.id }, 'the chain is reached; calls can be paid on it');
      } catch (error) {
        log.warn({ chainId: own.chain.id, error: describeError(error) }, 'the chain is still out of reach');
      }
    }
  }

  try {
    for (const own of config.chains.slice(1)) {
      const chain = await openOther(own).catch((error: unknown) => {
        if (!(error instanceof AutoPayError) || error.code !== 'chain_unavailable') throw error;
        const facts = { chainId: own.chain.id, error: describeError(error) };
        log.error(facts, 'a chain cannot be reached: nothing is sold on it, and nothing of it collected, until it can');
        return undefined;
      });
      if (chain) opened.push(chain);
      else unreached.push(own);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    chains: [...opened] as [RelayChain, ...RelayChain[]],
    openOthers: (onOpen) => late.push(...unreached.map((own) => openLate(own, onOpen))),
    close,
  };
}

function openOtherChain(
  options: OpenChainsOptions,
  { own, home }: { own: ChainConfig; home: RelayChain },
): Promise<RelayChain> {
  const { config, ledger, log } = options;
  const { budgets } = home.background;
  return openChain({
    ...options,
    config: { ...config, ...own },
    ledger: ledger.on(own.chain.id),
    budgets: budgetsFromHome({ budgets, homeTokens: config.tokens, tokens: own.tokens }),
    log: nameChainIn(log, own.chain.id),
  });
}

/** Says in each line which chain it is about; lines without are about the home chain. */
function nameChainIn(log: Log, chainId: number): Log {
  const named = (level: keyof Log) => (facts: object, message: string) => log[level]({ ...facts, chainId }, message);
  return {
    ...{ fatal: named('fatal'), error: named('error'), warn: named('warn'), info: named('info') },
    debug: named('debug'),
  } as Log;
}
