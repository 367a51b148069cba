import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { createPriceList, type OraclePrice, type PriceList } from '../metering/price-list.ts';
import type {
  CallAnswer,
  ChannelState,
  ChargeRequest,
  ChargeResult,
  DirectPayment,
  FirstCall,
  Funds,
  Idempotency,
  Ledger,
  MoveOutcome,
  MoveRequest,
  ReleaseRequest,
  ReserveOutcome,
  ReserveRequest,
  VerifiedVoucher,
} from '../ledger/ledger.ts';
import type { ChooseRoutes } from './route-choice.ts';
import { RunningCalls } from './running-calls.ts';
import type { Transport, UpstreamResponse } from './transport.ts';
import type {
  Admission,
  CallDeps,
  CallLimits,
  CallRequest,
  CallSummary,
  ModelBudgets,
  RelayAuthority,
  ResponseSink,
  Route,
} from './types.ts';

/** Test support for the life of a call: sinks, ledgers and upstreams in memory. */

export const token: Hex = `0x${'11'.repeat(20)}`;
/** A token whose prices are in US dollars. */
export const usdToken: Hex = `0x${'12'.repeat(20)}`;
const channelId: Hex = `0x${'33'.repeat(32)}`;

/** One atomic unit per prompt token and two per completion token, so that sums can be done in the head. */
const row: PriceRow = {
  model: 'small',
  token,
  inUsd: false,
  ...plainPrices(1_000_000n, 2_000_000n),
  cachedPrompt: 500_000n,
};

export const limits: CallLimits = {
  maxResponseBytes: 1_048_576,
  callTimeoutMs: 10_000,
  idleTimeoutMs: 5_000,
  drainTimeoutMs: 2_000,
};

export function makeRoute(changes: Partial<Route> = {}): Route {
  return {
    model: 'small',
    deployments: [{ id: 'simulated@local', provider: 'simulated', model: 'sim-small' }],
    prices: [row, { ...row, token: usdToken, inUsd: true }],
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
    defaultMaxOutputTokens: 4_096,
    embeddingDimensions: 3_072,
    firstSlice: false,
    outputLimitParameter: 'max_completion_tokens',
    ...changes,
  };
}

export function makeChannel(changes: Partial<ChannelState> = {}): ChannelState {
  return {
    channelId,
    payer: `0x${'44'.repeat(20)}`,
    payee: `0x${'55'.repeat(20)}`,
    token,
    salt: zeroBytes32,
    authorizedSigner: zeroAddress,
    deposit: 1_000_000n,
    settled: 0n,
    closeRequestedAt: 0,
    finalized: false,
    readAtBlock: 1,
    acceptedCumulative: 0n,
    acceptedSignature: null,
    charged: 0n,
    reserved: 0n,
    sequence: 0,
    ...changes,
  };
}

function makeVoucher(cumulativeAmount: bigint): VerifiedVoucher {
  return { channelId, cumulativeAmount, signature: `0x${'66'.repeat(65)}` };
}

/** Of a voucher of 1,000,000 on a channel, unless told otherwise; the method's receipt names the amount. */
export function makeAdmission(changes: Partial<Admission> = {}): Admission {
  const { channel = makeChannel() } = changes;
  return {
    funds: { kind: 'voucher', voucher: makeVoucher(1_000_000n) },
    channel,
    token: channel && channel.token,
    headroom: null,
    scopes: [],
    keyId: null,
    idempotencyScope: channel && channel.channelId,
    wantsPaymentEvents: false,
    finish: ({ receipt }) =>
      Promise.resolve({
        headers: { 'payment-receipt': `paid-${receipt.amount}` },
        events: `event: payment-receipt\ndata: paid-${receipt.amount}\n\n`,
      }),
    renew: () => Promise.resolve(makeAdmission(changes)),
    ...changes,
  };
}

/** The admission of who paid nothing. */
export const unpaid: Partial<Admission> = { funds: null, channel: null };

export function makeRequest(
  body: object | Buffer,
  payment: Partial<Admission> = {},
  changes: Partial<CallRequest> = {},
): CallRequest {
  return {
    callId: createCallId(),
    path: '/v1/chat/completions',
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
    idempotencyKey: null,
    headers: {},
    clientAddress: '127.0.0.1',
    payment: makeAdmission(payment),
    ...changes,
  };
}

/** What an admission by a payment of its own has. */
export function directPayment(changes: Partial<DirectPayment> = {}): Partial<Admission> {
  const payment: DirectPayment = {
    paymentId: `0x${'77'.repeat(32)}`,
    kind: 'permit2-upto',
    payer: `0x${'44'.repeat(20)}`,
    token,
    maximum: 1_000_000n,
    payload: '{}',
    validBefore: null,
    available: 2n ** 128n - 1n,
    ...changes,
  };
  return { funds: { kind: 'direct', payment }, channel: null, token, idempotencyScope: payment.payer };
}

/** Funds of a voucher, as an admission has them. */
export function makeFunds(cumulativeAmount: bigint): Funds {
  return { kind: 'voucher', voucher: makeVoucher(cumulativeAmount) };
}

/** A sink that remembers, with the order of what happened. */
export class MemorySink implements ResponseSink {
  status: number | undefined;
  headers: Readonly<Record<string, string>> = {};
  readonly writes: Buffer[] = [];
  /** `start`, `write`, `end`, `destroy`, as they came. */
  readonly events: string[] = [];
  closed = false;
  ended = false;
  destroyed = false;
  /** When set, writes wait until it resolves, as for a client that does not read. */
  blocked: Promise<void> | undefined;
  onWrite: ((bytes: Buffer) => void) | undefined;
  readonly #callbacks: (() => void)[] = [];

  get started(): boolean {
    return this.status !== undefined;
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.closed) return;
    this.events.push('start');
    this.status = status;
    this.headers = headers;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.closed) return;
    this.events.push('write');
    this.writes.push(Buffer.from(bytes));
    this.onWrite?.(Buffer.from(bytes));
    if (this.blocked) await Promise.race([this.blocked, new Promise<void>((resolve) => this.onClose(resolve))]);
  }

  end(bytes?: Uint8Array): void {
    if (this.closed) return;
    this.events.push('end');
    if (bytes) this.writes.push(Buffer.from(bytes));
    this.ended = true;
  }

  destroy(): void {
    this.events.push('destroy');
    this.destroyed = true;
    this.leave();
  }

  onClose(callback: () => void): void {
    if (this.closed) callback();
    else this.#callbacks.push(callback);
  }

  /** The client goes. */
  leave(): void {
    if (this.closed) return;
    this.closed = true;
    for (const callback of this.#callbacks) callback();
  }

  get text(): string {
    return Buffer.concat(this.writes).toString('utf8');
  }
}

/** A promise to be settled from outside. */
export function defer(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A test may reject it before anyone listens.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** A signed receipt of a call; nobody has signed it. */
function sign(
  callId: string,
  salts: Pick<SignedReceipt, 'requestSalt' | 'responseSalt'> = {
    requestSalt: Buffer.alloc(32),
    responseSalt: Buffer.alloc(32),
  },
): string {
  return encodeSignedReceipt({
    entry: Buffer.from(callId),
    ...{ index: 0, size: 1, signedAtMs: 1_700_000_000_000, path: [], signature: Buffer.alloc(65) },
    ...salts,
  });
}

/** A durable charge of 20. */
export function someResult(callId: string, changes: Partial<ChargeResult> = {}): ChargeResult {
  const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
  return {
    receipt: {
      ...{ version: 1, callId, admittedAtMs: 0, chargedAtMs: 1_700_000_000_000 },
      ...{ payer: zeroAddress, channelId: zeroBytes32, sequence: 0, runningTotal: 0n },
      ...{ token, amount: 20n, refundOwed: 0n, priceRoot: zeroBytes32, oracleRound: 0n },
      usage: { prompt: 10, completion: 5, ...none },
      ...{ requestCommitment: zeroBytes32, responseCommitment: zeroBytes32, attemptsDigest: zeroBytes32 },
      ...{ evidenceTier: 'relay-signed', usageKind: 'exact' },
      ...{ modelAsked: 'small', modelServed: 'sim-small', provider: 'simulated', deployment: 'simulated@local' },
    },
    signedReceipt: sign(callId),
    channel: null,
    payment: null,
    ...changes,
  };
}

/**
 * A ledger in memory: a stand-in for the ordering tests only, whose commits can be held back. It keeps no books; the real
 * ledger has tests of its own.
 */
export class FakeLedger implements Pick<
  Ledger,
  'reserve' | 'moveCall' | 'charge' | 'release' | 'findAnswer' | 'findRepeat'
> {
  readonly reserved: ReserveRequest[] = [];
  readonly charged: ChargeRequest[] = [];
  readonly moved: MoveRequest[] = [];
  readonly released: ReleaseRequest[] = [];
  durable: Promise<void> = Promise.resolve();
  chargeGate: Promise<void> = Promise.resolve();
  releaseGate: Promise<void> = Promise.resolve();
  /** Answers `moveCall` in its place where it returns something. */
  onMove: ((request: MoveRequest) => MoveOutcome | undefined) | undefined;
  /** Answers `reserve` in its place where it returns something. */
  onReserve: ((request: ReserveRequest) => ReserveOutcome | undefined) | undefined;

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    this.reserved.push(request);
    const channel = request.funds ? makeChannel() : null;
    return this.onReserve?.(request) ?? { ok: true, channel, durable: this.durable };
  }

  async charge(request: ChargeRequest): Promise<ChargeResult> {
    this.charged.push(request);
    await this.chargeGate;
    // A call that was refused at first may be held for less.
    const reservation = this.reserved.findLast(({ callId }) => callId === request.callId);
    const quote = reservation?.quote ?? 0n;
    const amount = request.metered < quote ? request.metered : quote;
    const voucher = reservation?.funds?.kind === 'voucher' ? reservation.funds.voucher : null;
    const channel = voucher
      ? makeChannel({ acceptedCumulative: voucher.cumulativeAmount, charged: amount, sequence: 1 })
      : null;
    const { requestSalt, responseSalt } = request;
    const { receipt } = someResult(request.callId);
    return {
      receipt: {
        ...receipt,
        admittedAtMs: reservation?.admittedAtMs ?? 0,
        payer: channel?.payer ?? zeroAddress,
        channelId: channel?.channelId ?? zeroBytes32,
        sequence: channel?.sequence ?? 0,
        runningTotal: channel?.charged ?? 0n,
        amount,
        ...request.receipt,
      },
      signedReceipt: sign(request.callId, { requestSalt, responseSalt }),
      channel,
      payment: null,
    };
  }

  async moveCall(request: MoveRequest): Promise<MoveOutcome> {
    this.moved.push(request);
    return this.onMove?.(request) ?? { ok: true };
  }

  async release(request: ReleaseRequest): Promise<void> {
    await this.releaseGate;
    this.released.push(request);
  }

  /** It keeps no answers, so nothing is ever repeated. */
  findAnswer = async (_callId: string): Promise<CallAnswer | undefined> => {
    return undefined;
  };

  findRepeat = async (_idempotency: Idempotency): Promise<FirstCall | undefined> => undefined;
}

/** Budgets that stop nothing. */
export const wideBudgets: ModelBudgets = {
  terms: ({ atMs }) => ({ day: Math.floor(atMs / 86_400_000), limitAgpt: 2n ** 128n - 1n, rate: 10n ** 18n }),
};

/** A relay from which nothing was taken. */
const authority: RelayAuthority = { require: () => undefined };

/** A price list of the two tokens; the second costs half a US dollar unless said otherwise. */
export function makePriceList(changes: { round?: OraclePrice | undefined; isInForce?: boolean } = {}): PriceList {
  const round = { answer: 50_000_000n, decimals: 8, roundId: 77n, updatedAt: 1 };
  const sources = { round, isInForce: true, ...changes };
  return createPriceList({
    tokens: [
      { symbol: 'USDC', address: token, decimals: 6, oracle: false, suggestedDeposit: 5_000_000n },
      { symbol: 'WETH', address: usdToken, decimals: 8, oracle: true, suggestedDeposit: 500_000_000n },
    ],
    rows: makeRoute().prices ?? [],
    sources: { oraclePrice: () => sources.round, isInForce: () => sources.isInForce },
  });
}

/** The machine's clock. */
export const clock = { nowMs: (): number => Date.now() };

/** The route that is asked for, and nothing in its place: what may answer instead is chosen in routing/. */
function chooseNamed(routes: ReadonlyMap<string, Route>): ChooseRoutes {
  return ({ asked }) => {
    const route = routes.get(asked.model);
    if (!route) throw new AutoPayError('model_not_found', `There is no model "${asked.model}".`, { param: 'model' });
    return { routes: [{ route, deployments: route.deployments, after: null }], rule: null };
  };
}

/** Dependencies of handleCall, each to be replaced; `finished` is what it reported. */
export function makeCallDeps(
  options: Pick<CallDeps, 'router'> & Partial<Omit<CallDeps, 'onFinish'>> & { route?: Route },
): CallDeps & { finished: CallSummary[] } {
  const { route = makeRoute(), ...rest } = options;
  const routes = options.routes ?? new Map([[route.model, route]]);
  const finished: CallSummary[] = [];
  return {
    ledger: new FakeLedger(),
    routes,
    chooseRoutes: chooseNamed(routes),
    budgets: wideBudgets,
    authority,
    clock,
    limits,
    prices: makePriceList(),
    maxUnsettled: () => 2n ** 128n - 1n,
    freeLimit: { take: () => undefined },
    chainId: 31_337,
    running: new RunningCalls(),
    onFinish: (summary) => finished.push(summary),
    finished,
    ...rest,
  };
}

/** A completion as a provider answers it. */
export const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'sim-small',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
};

/** A whole stream as a provider sends it when asked for usage. */
export const streamEvents = [
  'data: {"model":"sim-small","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}\n\n',
  'data: {"model":"sim-small","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null}\n\n',
  'data: {"model":"sim-small","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
  'data: {"model":"sim-small","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}\n\n',
  'data: [DONE]\n\n',
];

/** An upstream's answer in memory; each piece is one chunk of the network. */
export function makeResponse(
  pieces: readonly (string | Uint8Array)[],
  options: { status?: number; headers?: Record<string, string> } = {},
): UpstreamResponse & { destroyed: boolean } {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield Buffer.from(piece);
  }
  return {
    status: options.status ?? 200,
    headers: options.headers ?? {},
    body: body(),
    destroyed: false,
    destroy() {
      this.destroyed = true;
    },
  };
}

/** A stream's answer in memory. */
export function makeStream(pieces: readonly (string | Uint8Array)[]): ReturnType<typeof makeResponse> {
  return makeResponse(pieces, { headers: { 'content-type': 'text/event-stream' } });
}

/** A transport that gives `answers` in turn; an error is thrown. */
export function makeTransport(...answers: (UpstreamResponse | Error)[]): Transport & { sent: string[] } {
  const sent: string[] = [];
  return {
    sent,
    async send({ body }) {
      sent.push(Buffer.from(body).toString('utf8'));
      const answer = answers.shift();
      if (answer === undefined) throw new Error('the test has no further answer');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}
