import type { RequestListener } from 'node:http';
import type { Transport } from './call/transport.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { ConfigFiles } from './config/config-files.ts';
import { createReloader } from './config/create-reloader.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { watchFiles } from './config/watch-files.ts';
import { createCalls, type SellingChains } from './create-calls.ts';
import { rowsOf } from './create-prices.ts';
import { createRelayApp, type RelayAppOptions } from './create-relay-app.ts';
import type { CallGate } from './http/call-gate.ts';
import type { Log } from './log.ts';
import { createOfferSwitch, type Offer } from './offer-switch.ts';
import type { RelayChain } from './open-chain.ts';
import type { RelayChains } from './open-chains.ts';
import { openTables, TablesInUse, type Tables } from './share-price-tables.ts';

/** What a relay sells over time. */
export interface Offers {
  listener: RequestListener;
  /** Reads the configuration again; see Reloader. */
  reload(): Promise<void>;
  /**
   * Takes a chain in that could not be reached before: calls can be paid on it from the next request on.
   * @throws AutoPayError as `createOffers`, and `overloaded` once the offers are closed; nothing has changed then
   */
  add(chain: RelayChain): Promise<void>;
  /** Ends the connections to all providers, and the watch over files. Nothing is offered anew from then on. */
  close(): Promise<void>;
}

/** What offers are made of. */
export interface OffersOptions {
  chains: RelayChains;
  config: RelayConfig;
  /** Where it was read from, and is read again. */
  files: ConfigFiles;
  /** Keeps the price tables of a configuration; see keepPriceTable. */
  keepPrices: (config: RelayConfig) => Promise<void>;
  gate: CallGate;
  app: Omit<RelayAppOptions, 'configuration' | 'gate' | 'log'>;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  /** Makes a transport one that pays providers which sell calls. */
  wrapTransport: (transport: Transport) => Transport;
}

/**
 * Wires what a configuration sells, and wires it anew when its files change: routes, providers, prices and limits change together,
 * between two requests. Prices change only to a table that is in force on every chain, and calls under way are charged by the table
 * that they were quoted by.
 *
 * @throws AutoPayError `invalid_configuration` if a provider's key is not set
 */
export function createOffers(options: OffersOptions): Offers {
  const { config, env, log, wrapTransport } = options;
  const clock = { nowMs: options.app.nowMs };
  /** Those of the present offer. The first ones belong to their chains, which stop them. */
  let tables: Tables = options.chains.map(({ prices }) => ({ list: prices.list, stop: async () => undefined }));
  const used = new TablesInUse(tables);
  let selling: SellingChains | undefined;
  let { chains: reached, config: present } = options;
  let isClosed = false;

  const makeOffer = (gate: CallGate, chains: RelayChains, own: Tables): Offer => {
    const calls = createCalls(chains, { clock, log, env, wrapTransport, ...(selling && { before: selling }) });
    const listener = createRelayApp(calls.chains, {
      ...options.app,
      ...{ gate, log, configuration: () => reloader.state() },
    });
    selling = calls.chains;
    tables = own;
    return {
      listener,
      async close() {
        await calls.closeTransport();
        await used.release(own);
      },
    };
  };

  async function apply(next: RelayConfig, [home, ...others]: RelayChains): Promise<void> {
    const opened = await openTables([home, ...others], tables, next);
    used.take(opened);
    try {
      await options.keepPrices(next);
      // It would never be closed again.
      if (isClosed) throw new AutoPayError('overloaded', 'The relay is stopping.');
      const configure = (chain: RelayChain, index: number) => configured(chain, next, opened[index]?.list);
      const chains: RelayChains = [configure(home, 0), ...others.map((chain, index) => configure(chain, index + 1))];
      offers.replace((gate) => makeOffer(gate, chains, opened));
    } catch (error) {
      await used.release(opened);
      throw error;
    }
    present = next;
    const models = new Set(rowsOf(next.routes).map(({ model }) => model));
    for (const { background } of [home, ...others]) background.setModels([...models]);
  }

  /** One change after the other: each begins with what the one before has left. */
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  const { files } = options;
  const watcher = watchFiles({ onChange: () => void reloader.reload() });
  const reloader = createReloader({
    ...{ config, load: () => files.load(), apply: (next: RelayConfig) => inTurn(() => apply(next, reached)) },
    ...{ onRead: () => watcher.set(files.marks()), log, ...clock },
  });
  const offers = createOfferSwitch(options.gate, (gate) => makeOffer(gate, options.chains, tables));
  watcher.set(files.marks());
  return {
    listener: offers.listener,
    reload: () => reloader.reload(),
    add: (chain) =>
      inTurn(async () => {
        const chains: RelayChains = [...reached, chain];
        await apply(present, chains);
        reached = chains;
      }),
    async close() {
      isClosed = true;
      watcher.close();
      reloader.close();
      await offers.close();
    },
  };
}

/** A chain as the next configuration has it. */
function configured(chain: RelayChain, next: RelayConfig, list: RelayChain['prices']['list'] | undefined): RelayChain {
  const own = next.chains.find((candidate) => candidate.chain.id === chain.chainId);
  return { ...chain, config: { ...next, ...own }, prices: { ...chain.prices, ...(list && { list }) } };
}
