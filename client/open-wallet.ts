import { resolve } from 'node:path';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { createChannelManager, type ChannelManager } from './channel-manager.ts';
import { fetchCatalogue, type Catalogue } from './fetch-catalogue.ts';
import { fetchRelayTerms, pinTerms, type RelayTerms } from './fetch-relay-terms.ts';
import { connectWalletChain } from './open-channel.ts';
import { openReceiptStore, type ReceiptStore, type StoredReceipt } from './receipt-store.ts';
import { openWalletState } from './wallet-state.ts';

/** How long prices are taken as current; a receipt that names another price table ends it early. */
const catalogueLifeMs = 60_000;
/** Whole tokens that are deposited where the owner says nothing and the relay suggests no less. */
const defaultDepositTokens = 5n;

/** A wallet that pays one relay. Amounts are atomic units of the relay's token. */
export interface WalletOptions {
  /** Origin of the relay, such as `http://127.0.0.1:4000`. */
  relayUrl: string;
  /** JSON-RPC endpoint of the relay's chain. Without it no channel can be opened, and receipts are checked against the address that the relay names. */
  rpcUrl?: string;
  /** 0x-hex. Read it with `readKey`. */
  privateKey: Hex;
  /** Folder for `channels.json` and `receipts.jsonl`; several processes may share it. */
  stateDir: string;
  /** The token that this wallet pays in; a relay that wants another is refused. */
  token?: Hex;
  /** The contracts that this wallet trusts; a relay that names others is refused. Without them, those of the first channel are kept to. */
  contracts?: { paymentChannels: Hex; autoPayLLM: Hex };
  /** Deposit of a new channel. Default: what the relay suggests, at most 5 whole tokens. */
  deposit?: bigint;
  /**
   * The most that one call may cost. Default: what it can cost by the relay's published prices. Set it where the relay is not
   * trusted with its price list, or with telling what was signed before the wallet's state was lost.
   */
  maxCallAmount?: bigint;
  /** Told of what the owner should know, such as a receipt that does not fit. Default: a line on stderr. */
  onWarning?: (message: string) => void;
  /** Given each receipt when it is checked and stored. */
  onReceipt?: (receipt: StoredReceipt) => void;
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: typeof fetch;
}

/** The parts of a wallet, for `createPayFetch` and for tools. */
export interface Wallet {
  relayUrl: string;
  receipts: ReceiptStore;
  options: WalletOptions;
  warn: (message: string) => void;
  fetch: typeof fetch;
  /** The relay's terms, checked against what is pinned, and its channels; asked for once. */
  connect(): Promise<{ terms: RelayTerms; channels: ChannelManager }>;
  /** The price list; `isFresh` asks the relay again. */
  catalogue(isFresh?: boolean): Promise<Catalogue>;
  /** Atomic units to deposit in a new channel; `suggested` is the relay's wish. */
  depositFor(terms: RelayTerms, suggested?: bigint): bigint;
}

/** Opens a wallet. Nothing is asked or written before it is used. */
export function openWallet(options: WalletOptions): Wallet {
  const relayUrl = new URL(options.relayUrl).origin;
  const send = options.fetch ?? fetch;
  const stateDir = resolve(options.stateDir);
  const warn = options.onWarning ?? ((message: string) => void process.stderr.write(`autopay: ${message}\n`));
  const state = openWalletState(stateDir);
  let connection: Promise<{ terms: RelayTerms; channels: ChannelManager }> | undefined;
  let catalogue: { value: Promise<Catalogue>; untilMs: number } | undefined;

  async function connect(): Promise<{ terms: RelayTerms; channels: ChannelManager }> {
    const { rpcUrl, privateKey, maxCallAmount } = options;
    const terms = await fetchRelayTerms({ relayUrl, fetch: send });
    const { paymentChannels: escrow, autoPayLLM: payee } = options.contracts ?? {};
    pinTerms(terms, { escrow, payee, token: options.token });
    const chain = rpcUrl === undefined ? undefined : connectWalletChain({ rpcUrl, privateKey, terms });
    if (chain && !(await chain.isRelay(terms.relay))) {
      throw new AutoPayError(
        'challenge_invalid',
        `${terms.relay} signs the receipts of ${relayUrl}, but the contract ${terms.payee} does not know it as a relay. Nothing was signed.`,
      );
    }
    const channels = createChannelManager({
      relayUrl,
      terms,
      state,
      stateDir,
      privateKey,
      chain,
      maxCallAmount,
      onWarning: warn,
    });
    await channels.current();
    return { terms, channels };
  }

  return {
    relayUrl,
    receipts: openReceiptStore(stateDir),
    options,
    warn,
    fetch: send,
    connect() {
      connection ??= connect().catch((error: unknown) => {
        connection = undefined;
        throw error;
      });
      return connection;
    },
    catalogue(isFresh = false) {
      if (catalogue && !isFresh && Date.now() < catalogue.untilMs) return catalogue.value;
      const value = fetchCatalogue({ relayUrl, fetch: send });
      const entry = { value, untilMs: Date.now() + catalogueLifeMs };
      catalogue = entry;
      value.catch(() => {
        if (catalogue === entry) catalogue = undefined;
      });
      return value;
    },
    depositFor(terms, suggested) {
      if (options.deposit !== undefined) return options.deposit;
      const most = defaultDepositTokens * 10n ** BigInt(terms.token.decimals);
      return suggested !== undefined && suggested < most && suggested > 0n ? suggested : most;
    },
  };
}
