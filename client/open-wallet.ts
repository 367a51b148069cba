import { resolve } from 'node:path';
import type { Hex } from '../protocol/bytes/hex.ts';
import { addressOfPrivateKey, parsePrivateKey } from '../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { escapeLine } from '../protocol/text/escape-text.ts';
import { bodyBoundsSchema, type BodyBounds } from './audit/body-store.ts';
import { createBodyKeeper, type BodyKeeper } from './audit/keep-bodies.ts';
import { createAbandonedCalls, type AbandonedCalls } from './abandoned-calls.ts';
import { createChannelManager, type ChannelManager } from './channel-manager.ts';
import { chooseToken } from './choose-token.ts';
import { createReceiptConfirmer, type ReceiptConfirmer } from './confirm-receipt.ts';
import { fetchCatalogue, type Catalogue } from './fetch-catalogue.ts';
import { fetchRelayTerms, pinTerms, type PayToken, type RelayOffer, type RelayTerms } from './fetch-relay-terms.ts';
import { createTariffFinder, type TariffFinder } from './find-tariff.ts';
import { connectWalletChain, type WalletChain } from './open-channel.ts';
import type { PaymentMethod } from './choose-method.ts';
import { createReceiptWatch, type ReceiptWatch } from './disputes/watch-receipts.ts';
import { openPaymentStore, type PaymentStore, type StoredPayment } from './payment-store.ts';
import type { SellerPolicy } from './pay-seller.ts';
import { relayBaseOf } from './relay-base.ts';
import { openReceiptStore, type ReceiptStore, type StoredReceipt } from './receipt-store.ts';
import { limitsIn, limitsSchema, readLimits, type WalletLimits } from './wallet-limits.ts';
import { openWalletState, type WalletChannel, type WalletStateFile } from './wallet-state.ts';

/** How long prices are taken as current; a receipt that names another price table ends it early. */
const catalogueLifeMs = 60_000;
/** Whole tokens that are deposited where the owner says nothing and the relay suggests no less. */
const defaultDepositTokens = 5n;

/** A wallet that pays one relay, in one of its tokens. Amounts are atomic units of that token. */
export interface WalletOptions {
  /** Origin of the relay, such as `http://127.0.0.1:4000`; with `/chains/<id>`, to pay it on that chain. */
  relayUrl: string;
  /** The chain to pay on, where `relayUrl` names none. Default: the relay's home chain. `rpcUrl` has to be of the same. */
  chainId?: number;
  /** JSON-RPC endpoint of the relay's chain. Without it no channel can be opened, and receipts are checked against the address and the price table that the relay names. */
  rpcUrl?: string;
  /** 0x-hex. Read it with `readKey`. */
  privateKey: Hex;
  /** Folder for `channels.json` and `receipts.jsonl`; several processes may share it. */
  stateDir: string;
  /**
   * The token that this wallet pays in; a relay that does not take it is refused. Default: the first of the relay's tokens that
   * the wallet has a channel in, or else any of, or else the first.
   */
  token?: Hex;
  /** The contracts that this wallet trusts; a relay that names others is refused. Without them, those of the first channel are kept to. */
  contracts?: { paymentChannels: Hex; autoPayLLM: Hex; priceOracle?: Hex; priceBook?: Hex; keyRegistry?: Hex };
  /** Deposit of a new channel. Default: what the relay suggests, at most 5 whole tokens. */
  deposit?: bigint;
  /**
   * The most that one call may cost. Default: what it can cost by the relay's published prices. Set it where the relay is not
   * trusted with its price list, or with telling what was signed before the wallet's state was lost.
   */
  maxCallAmount?: bigint;
  /**
   * What the owner lets the wallet spend, in whole tokens such as `'2.5'`; over a limit it stops with `wallet_limit_exceeded`. Those in
   * `settings.json` of the state folder (`autopay limits set`) hold as well: of two, the lower counts.
   */
  limits?: WalletLimits;
  /**
   * The ways to pay the relay that may be used, the first that can be used before the others. Default: an open channel, or else whatever
   * costs least (docs/WALLET.md, "How payFetch chooses").
   */
  methods?: readonly PaymentMethod[];
  /**
   * How sellers are paid that are no relays of ours, such as BlockRun's gateway as `relayUrl`. With it, requests to other origins than
   * `relayUrl` pass too, and are paid where they cost something.
   */
  sellers?: SellerPolicy;
  /**
   * Keeps prompts and answers in `bodies/` of the state folder, so that receipts can be opened to others (`autopay audit open`). Default:
   * `keepBodies` of `settings.json` there, or else nothing is kept.
   */
  keepBodies?: Partial<BodyBounds>;
  /** How long a call waits for its channel's deposit to have the relay's confirmations, milliseconds. Default: five minutes. */
  confirmationWaitMs?: number;
  /** Told of what the owner should know, such as a receipt that does not fit. Default: a line on stderr. */
  onWarning?: (message: string) => void;
  /** Given each receipt when it is checked and stored. */
  onReceipt?: (receipt: StoredReceipt) => void;
  /** Given each payment of one call when its outcome is known and stored. */
  onPayment?: (payment: StoredPayment) => void;
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: typeof fetch;
}

/** What a wallet knows of its relay. */
export interface Connection {
  terms: RelayTerms;
  channels: ChannelManager;
  tariffs: TariffFinder;
  confirmReceipt: ReceiptConfirmer;
  /** undefined where the owner gave no endpoint. */
  chain: WalletChain | undefined;
  /** What the wallet has of its token, in atomic units; undefined without a chain. */
  balance(): Promise<bigint | undefined>;
}

/** The parts of a wallet, for `createPayFetch` and for tools. */
export interface Wallet {
  relayUrl: string;
  receipts: ReceiptStore;
  /** Finds what receipts prove against the relay, as they come. */
  watch: ReceiptWatch;
  payments: PaymentStore;
  /** The wallet's durable memory. */
  state: WalletStateFile;
  stateDir: string;
  options: WalletOptions;
  /** Paid calls that their callers did not wait for. */
  abandoned: AbandonedCalls;
  warn: (message: string) => void;
  /** Keeps the bytes that a receipt commits to, where the owner wants that. */
  keepBodies: BodyKeeper;
  fetch: typeof fetch;
  /** The terms, checked against what is pinned, the channels and the prices in the wallet's token; asked for once. */
  connect(): Promise<Connection>;
  /** The price list; `isFresh` asks the relay again. */
  catalogue(isFresh?: boolean): Promise<Catalogue>;
  /** The same for a receipt: where the relay does not list its prices now, those that it listed last. It must not be rid of the receipt by that. */
  lastCatalogue(isFresh?: boolean): Promise<Catalogue>;
  /** Atomic units to deposit in a new channel; `suggested` is the relay's wish. */
  depositFor(terms: RelayTerms, suggested?: bigint): bigint;
}

/**
 * Opens a wallet. Nothing is asked or written before it is used.
 * @throws AutoPayError `invalid_argument` if `limits` or `keepBodies` is not understood.
 */
export function openWallet(options: WalletOptions): Wallet {
  if (!limitsSchema.optional().safeParse(options.limits).success) {
    throw new AutoPayError(
      'invalid_argument',
      "Give limits as decimal strings: { perCall: '0.05', perDay: '2', perDeposit: '5' }.",
    );
  }
  const relayUrl = relayBaseOf(options.relayUrl, options.chainId);
  const send = options.fetch ?? fetch;
  const stateDir = resolve(options.stateDir);
  const warn =
    options.onWarning ?? ((message: string) => void process.stderr.write(`autopay: ${escapeLine(message)}\n`));
  const state = openWalletState(stateDir);
  let connection: Promise<Connection> | undefined;

  async function connect(): Promise<Connection> {
    const { rpcUrl, privateKey, maxCallAmount } = options;
    const offer = await fetchRelayTerms({ relayUrl, fetch: send });
    const { paymentChannels: escrow, autoPayLLM: payee, priceOracle, priceBook, keyRegistry } = options.contracts ?? {};
    pinTerms(offer, { escrow, payee, priceOracle, priceBook, keyRegistry });
    const open = await findOpenChannels(state, { relayUrl, privateKey });
    for (const channel of open) pinTerms(offer, channel);
    const chain = rpcUrl === undefined ? undefined : connectWalletChain({ rpcUrl, privateKey, terms: offer });
    if (chain) await requireRelay(chain, { offer, relayUrl });
    const { tokens, ...rest } = offer;
    const token = await chooseToken({
      offer: { tokens },
      asked: options.token,
      channels: open,
      balanceOf: chain && ((address) => chain.balanceOf(address)),
    });
    if (chain) await requireDecimals(chain, token);
    const terms: RelayTerms = { ...rest, token };
    const channels = createChannelManager({
      relayUrl,
      terms,
      state,
      stateDir,
      privateKey,
      chain,
      maxCallAmount,
      limits: async () => limitsIn(token, options.limits, await readLimits(stateDir)),
      onWarning: warn,
    });
    await channels.current();
    const confirmReceipt = createReceiptConfirmer({ relay: offer.relay, chain, onWarning: warn });
    const balance = async () => chain?.balanceOf(token.address);
    return { terms, channels, tariffs: createTariffFinder({ token, chain }), confirmReceipt, chain, balance };
  }

  const receipts = openReceiptStore(stateDir);

  return {
    relayUrl,
    receipts,
    watch: createReceiptWatch({ receipts, stateDir, onWarning: warn }),
    payments: openPaymentStore(stateDir),
    state,
    stateDir,
    options,
    abandoned: createAbandonedCalls(),
    warn,
    keepBodies: createBodyKeeper({ stateDir, bounds: boundsOf(options), onWarning: warn }),
    fetch: send,
    connect() {
      connection ??= connect().catch((error: unknown) => {
        connection = undefined;
        throw error;
      });
      return connection;
    },
    ...rememberCatalogue(() => fetchCatalogue({ relayUrl, fetch: send })),
    depositFor(terms, suggested) {
      if (options.deposit !== undefined) return options.deposit;
      const most = defaultDepositTokens * 10n ** BigInt(terms.token.decimals);
      return suggested !== undefined && suggested < most && suggested > 0n ? suggested : most;
    },
  };
}

function boundsOf({ keepBodies }: WalletOptions): BodyBounds | undefined {
  if (keepBodies === undefined) return undefined;
  const bounds = bodyBoundsSchema.safeParse(keepBodies);
  if (bounds.success) return bounds.data;
  throw new AutoPayError('invalid_argument', 'Give keepBodies as { days: 1 to 3650, mebibytes: 1 or more }.');
}

/** Prices are asked for again after a while, or when they are wanted fresh; a failed answer is not kept. */
function rememberCatalogue(ask: () => Promise<Catalogue>): Pick<Wallet, 'catalogue' | 'lastCatalogue'> {
  let known: { value: Promise<Catalogue>; untilMs: number } | undefined;
  let last: Catalogue | undefined;
  const catalogue: Wallet['catalogue'] = (isFresh = false) => {
    if (known && !isFresh && Date.now() < known.untilMs) return known.value;
    const value = ask();
    const entry = { value, untilMs: Date.now() + catalogueLifeMs };
    known = entry;
    value.then(
      (listed) => void (last = listed),
      () => {
        if (known === entry) known = undefined;
      },
    );
    return value;
  };
  return {
    catalogue,
    async lastCatalogue(isFresh) {
      try {
        return await catalogue(isFresh);
      } catch (error) {
        if (last) return last;
        throw error;
      }
    },
  };
}

/** The address that signs the receipts must be a relay's by the contract, and one whose receipts count as evidence. */
async function requireRelay(
  chain: WalletChain,
  { offer: { relay, payee, keyRegistry }, relayUrl }: { offer: RelayOffer; relayUrl: string },
): Promise<void> {
  const refuse = (reason: string) =>
    new AutoPayError(
      'challenge_invalid',
      `${relay} signs the receipts of ${relayUrl}, but ${reason}. Nothing was signed.`,
    );
  if (!(await chain.isRelay(relay))) throw refuse(`the contract ${payee} does not know it as a relay`);
  if (!(await chain.isReceiptKey(relay))) throw refuse(`the key registry ${keyRegistry} does not have it as a key now`);
}

/** With too many decimals, a price in US dollars would become as many times too high in the token. */
async function requireDecimals(chain: WalletChain, { symbol, address, decimals }: PayToken): Promise<void> {
  const actual = await chain.readDecimals(address);
  if (actual === decimals) return;
  throw new AutoPayError(
    'challenge_invalid',
    `The relay says that ${symbol} (${address}) has ${decimals} decimals; the token itself says ${actual}. Nothing was signed. ` +
      'Tell its operator.',
  );
}

/** This wallet's open channels with a relay, in whatever token. */
async function findOpenChannels(
  state: WalletStateFile,
  { relayUrl, privateKey }: Pick<WalletOptions, 'relayUrl' | 'privateKey'>,
): Promise<WalletChannel[]> {
  const payer = addressOfPrivateKey(parsePrivateKey(privateKey));
  const { channels } = await state.read();
  return channels.filter(
    (channel) => channel.relayUrl === relayUrl && channel.payer === payer && channel.status === 'open',
  );
}
