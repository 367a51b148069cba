import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import type {
  AttemptRecord,
  BudgetTerms,
  ChannelState,
  ChargeResult,
  Funds,
  Ledger,
  SpendingScope,
} from '../ledger/ledger.ts';
import type { UsageFault } from '../metering/judge-usage.ts';
import type { PriceList, SaleTerms } from '../metering/price-list.ts';
import type { SliceTerms } from './pay-as-you-stream.ts';
import type { AnswerCache } from './cache/answer-cache.ts';
import type { EvidenceCollector } from './evidence/evidence-collector.ts';
import type { CacheTerms } from './cache/cache-terms.ts';
import type { ChooseRoutes } from './route-choice.ts';
import type { Router } from './router.ts';
import type { DeploymentTerms, RouteTerms } from './routing-terms.ts';
import type { RunningCalls } from './running-calls.ts';

/** One provider, model and region that a route can use. */
export interface Deployment {
  /** `<provider>@<region>`, as receipts name it. */
  id: string;
  /** Name of a configured provider. */
  provider: string;
  /** The model's name at the provider. */
  model: string;
  /** Where its provider departs from OpenAI's wire; undefined if nothing is known. */
  quirks?: ProviderQuirks | undefined;
  /** Members of the request that go there where the client sends none, as far as the endpoint has them. */
  defaults?: Readonly<Record<string, unknown>> | undefined;
  /** `plainDeployment` if nothing is said. */
  terms?: DeploymentTerms;
}

/** Where a provider departs from OpenAI's wire (server/providers/catalogue.json). */
export interface ProviderQuirks {
  /** The name under which it takes the output limit. */
  outputLimitParameter: OutputLimitParameter;
  /** Whether it takes `stream_options`; where not, its streams end with usage unasked. */
  takesStreamOptions: boolean;
  /** Whether reasoning tokens are counted beside `completion_tokens`, not inside. */
  reasoningBeside: boolean;
  /** The member of an error's body that tells what is wrong, besides OpenAI's. */
  errorMember: 'error' | 'message' | 'detail';
  /** The paths of the endpoints that it has; undefined if that is not known: then any is tried. */
  endpoints?: readonly string[] | undefined;
  /** Whether its `/v1/messages` is Anthropic's own: the key goes there as `x-api-key`. */
  anthropicMessages?: boolean | undefined;
}

/** How a request bounds its output: OpenAI's present member, or the older one. */
export type OutputLimitParameter = 'max_completion_tokens' | 'max_tokens';

/** A name that clients ask for, and what answers to it. */
export interface Route {
  model: string;
  /** Tried in the order of its strategy; none where the route stands for others. */
  deployments: readonly Deployment[];
  /** `plainRoute` if nothing is said. */
  terms?: RouteTerms;
  /**
   * What it costs, one row for each token that it can be paid in. Null on a free route: nobody pays, a receipt is written
   * all the same.
   */
  prices: readonly PriceRow[] | null;
  /** How its answers are sold again to the same request; not at all if omitted. */
  cache?: CacheTerms | null | undefined;
  /** Whether its requests may search, at the price of a call; not if omitted. */
  search?: boolean;
  /** The model's context window: no prompt has more tokens. */
  contextTokens: number;
  /** A client's limit above this is lowered to it. */
  maxOutputTokens: number;
  /** Output limit of a request that sets none. */
  defaultMaxOutputTokens: number;
  /** Numbers of an embedding, where a request does not say how many. */
  embeddingDimensions: number;
  /** Whether streams may begin for less than their quote. Only where all output is visible: hidden output is not counted as it runs. */
  firstSlice: boolean;
  /** The name under which all of its deployments take the output limit; null: as each one's provider does. */
  outputLimitParameter: OutputLimitParameter | null;
}

/** Bounds of one call. The time-outs of single reads and of connecting belong to the transport. */
export interface CallLimits {
  /** The most bytes of an upstream's answer (JSON body or whole stream); at more it is broken off, and charged. */
  maxResponseBytes: number;
  /** From admission to the end of the answer, all attempts included. */
  callTimeoutMs: number;
  /** How long a write may wait for the client; after that it counts as gone. */
  idleTimeoutMs: number;
  /** How long the upstream is read on to its usage after the client has gone; then what was read is charged. */
  drainTimeoutMs: number;
}

/** What a method of payment tells the payer once the call is charged. */
export interface FinishedPayment {
  /** Headers of the answer, lower-case, such as `payment-receipt`. A stream, whose headers have gone, does without. */
  headers: Readonly<Record<string, string>>;
  /** Whole events of an event stream, to follow `[DONE]`; sent only where `wantsPaymentEvents`. */
  events: string;
}

/** What a method of payment brings to a call: what it is charged to, and how the payer wants to hear of the charge. */
export interface Admission {
  /** What pays, its authority verified; null if the request carried no payment. */
  funds: Funds | null;
  /** The channel that pays, as the ledger has it; null for other funds. */
  channel: ChannelState | null;
  /** What it pays in; null without funds. */
  token: Hex | null;
  /** The chain of `token`, where there are several; the home chain if omitted. */
  chainId?: number;
  /**
   * The most that the call may cost, if its answer may be shortened to cost no more: of an API key or an allowance. Null
   * where the payment is for what was quoted; a voucher's headroom is counted from its channel.
   */
  headroom: bigint | null;
  /** Caps on spending beside the model's budget. */
  scopes: readonly SpendingScope[];
  /** The API key that the call came with, for reports. */
  keyId: string | null;
  /** Whose Idempotency-Keys the call's is one of: a channel id, a payer, `key:<id>`; null if it may have none. */
  idempotencyScope: string | null;
  /** The MPP challenge that the payment answers; goes into `Payment-Receipt`. */
  challengeId?: string;
  /** Whether the request carried a `Payment` credential: only then may a stream carry named MPP events. */
  wantsPaymentEvents: boolean;
  /** Whether this payment may buy a call of another model than the one that was asked for; any by default. */
  mayCall?: (model: string) => boolean;
  /** Whether the payer may sign for a stream as it comes: then it may begin with less than its quote. */
  takesSlices?: boolean;
  /** What the method does once the call is charged; see PaymentMethod. A replayed answer calls it again. */
  finish: (charge: ChargeResult) => Promise<FinishedPayment>;
  /**
   * Reads and checks the same payment once more, as of now: what was admitted as the repetition of a call is another matter once
   * that call is released.
   * @throws AutoPayError if it is good no more
   */
  renew: () => Promise<Admission>;
}

/** One request by a client, its body read and its payment verified. */
export interface CallRequest {
  /** UUIDv7; the sink already answers with it as `x-autopay-call-id`. */
  callId: string;
  /** Of the URL, without its query. */
  path: string;
  /** The exact bytes that came. */
  body: Buffer;
  /** `Idempotency-Key` as it came; null without one. */
  idempotencyKey: string | null;
  /** Names in lower case. Rules and `auto` look at some of them; none goes to a provider. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Who asks, as far as the network knows: free routes are limited by it. */
  clientAddress: string;
  payment: Admission;
}

/**
 * Where an answer goes. The sink adds `x-autopay-call-id` to the headers by itself; `content-length` is set by the call
 * where it is known. After the client has gone every method is a harmless no-op.
 */
export interface ResponseSink {
  /** Status line and headers; once. They leave with the first bytes, or at once for an event stream. */
  start(status: number, headers: Readonly<Record<string, string>>): void;
  /** Hands bytes over unbuffered. Where no more may be written yet, resolves when it may, or when the client has gone; never rejects. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** The regular end, with optional last bytes. */
  end(bytes?: Uint8Array): void;
  /**
   * Breaks the connection, so that the client cannot take the answer for whole. What was written MUST be handed to
   * the socket first.
   */
  destroy(): void;
  /** Whether `start` was called. */
  readonly started: boolean;
  /** Whether the client has gone before the regular end (or `destroy` was called). */
  readonly closed: boolean;
  /** Calls back once when the client goes before the regular end; at once if it has gone. */
  onClose(callback: () => void): void;
}

/** Time, so that tests can set it. */
export interface Clock {
  /** Unix time in whole milliseconds. */
  nowMs(): number;
}

/** How a call ended, for log and metrics. */
export interface CallSummary {
  callId: string;
  /** The route that was asked for. */
  model: string;
  /** `failed`: the ledger itself did not answer; the lease will free what was reserved. */
  outcome: 'charged' | 'released' | 'failed';
  /** Why it was released or failed, or, of a charged call, why its answer is not whole. */
  reason?: ErrorCode | 'client_gone';
  attempts: readonly AttemptRecord[];
  /** What is wrong with the usage that the provider told of a charged call. */
  usageFault?: UsageFault;
  /** The charge, if there was one. */
  result?: ChargeResult;
  /** For the log only. */
  error?: unknown;
}

/** What votes allow models to spend. */
export interface ModelBudgets {
  /**
   * What holds for a model and a token on the UTC day of `atMs`.
   * @throws AutoPayError `budgets_unknown` if the chain has not been read for too long, `token_without_rate`.
   */
  terms(ask: { model: string; token: Hex; atMs: number }): BudgetTerms;
}

/** Whether the relay may do business at all: it needs roles and a key that governance can take away. */
export interface RelayAuthority {
  /** @throws AutoPayError `relay_not_authorized`, naming what is missing. */
  require(): void;
}

/** What the life of a call works with. */
export interface CallDeps {
  /** The chain that its calls are paid on. */
  chainId: number;
  ledger: Pick<Ledger, 'reserve' | 'moveCall' | 'charge' | 'release' | 'findAnswer' | 'findRepeat'>;
  /** By the name that clients ask for. */
  routes: ReadonlyMap<string, Route>;
  /** Says which routes may answer a request. */
  chooseRoutes: ChooseRoutes;
  budgets: ModelBudgets;
  authority: RelayAuthority;
  router: Router;
  clock: Clock;
  limits: CallLimits;
  prices: Pick<PriceList, 'root' | 'termsFor'>;
  /** The most that a payer may leave unsettled, in this token; see ReserveRequest. */
  maxUnsettled(token: Hex, atMs: number): bigint;
  /** The cap on what one payer may spend in the token of a sale; undefined where there is none. */
  payerScope?: ((ask: { payer: string; sale: SaleTerms; atMs: number }) => SpendingScope) | undefined;
  /** Bounds what one address may use of free routes. `take` throws `rate_limit_exceeded`. */
  freeLimit: { take(address: string): void };
  /** How streams begin that their payers have not signed all of; undefined where none does. */
  slices?: SliceTerms | undefined;
  /** Answers that may be sold again; undefined where no route's are. */
  cache?: AnswerCache | undefined;
  /** Says whose answers have evidence; undefined where no provider's have. */
  evidence?: EvidenceCollector | undefined;
  /** Calls under way that a repeated request may wait for. */
  running: RunningCalls;
  /** Called once for each call that had a reservation, after its end. MUST NOT throw. */
  onFinish?: (summary: CallSummary) => void;
  /** Called where a payment could not be finished though its call was answered: what is owed stays due. MUST NOT throw. */
  onUnfinished?: (report: { callId: string; error: unknown }) => void;
}
