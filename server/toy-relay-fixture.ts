import { createApp } from './app.ts';
import { limits, makeCallDeps, makeRoute, token } from './call/call-fixtures.ts';
import { AnswerCache } from './call/cache/answer-cache.ts';
import { serveCall } from './call/cache/serve-call.ts';
import { readQuotes } from './call/quote-tokens.ts';
import { RunningCalls } from './call/running-calls.ts';
import type { Transport, UpstreamRequest, UpstreamResponse } from './call/transport.ts';
import type { CallDeps, Route } from './call/types.ts';
import { createCallGate } from './http/call-gate.ts';
import { listen } from './http/listen.ts';
import { testKey, testScope } from './ledger/ledger-fixtures.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { createLog } from './log.ts';
import { createRouteChooser } from './routing/choose-routes.ts';
import { createRouter } from './routing/create-router.ts';
import { createFreeMethod } from './payments/free/free-method.ts';
import { createToyMethod, type ToyBank } from './payments/toy-fixture.ts';

/** For tests: an upstream whose answers each test makes. */
export class ToyUpstream implements Transport {
  /** Requests that came. */
  calls = 0;
  answer: (request: UpstreamRequest) => Promise<UpstreamResponse> | UpstreamResponse;

  constructor(answer: ToyUpstream['answer']) {
    this.answer = answer;
  }

  async send(request: UpstreamRequest): Promise<UpstreamResponse> {
    this.calls += 1;
    return this.answer(request);
  }
}

/** Prompt and completion of the fixture's answer (10 and 5 tokens) cost 3.33 and 10 atomic units: 14, rounded up. */
const prices = (makeRoute().prices ?? [])
  .filter((row) => row.token === token)
  .map((row) => ({ ...row, prompt: 333_333n }));

/** For tests: a relay on real books, over HTTP, that is paid by toys alone. */
export async function startToyRelay(options: {
  /** Where the books are; the same folder again is the same relay, started anew. */
  dataDir: string;
  bank: ToyBank;
  upstream: Transport;
  /** What it sells; by default the fixture's model, and `free`. */
  routes?: readonly Route[];
  limits?: Partial<CallDeps['limits']>;
  /** What votes allow; by default everything. */
  budgets?: CallDeps['budgets'];
  /** What each payer may spend; by default all that it has. */
  payerScope?: CallDeps['payerScope'];
}) {
  const { bank, upstream } = options;
  const books = { dataDir: options.dataDir, chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey };
  const ledger = await openLedger(books);
  const unfinished: string[] = [];
  const listed = options.routes ?? [makeRoute({ prices }), makeRoute({ model: 'free', prices: null })];
  const routes = new Map(listed.map((route) => [route.model, route]));
  const log = createLog('silent');

  /** One process of the relay; several share the books. */
  async function startProcess() {
    const deps: CallDeps = makeCallDeps({
      ledger,
      router: createRouter({ transport: upstream, clock: { nowMs: () => Date.now() } }),
      routes,
      chooseRoutes: createRouteChooser({ routes, rules: [] }),
      limits: { ...limits, ...options.limits },
      ...(options.budgets && { budgets: options.budgets }),
      payerScope: options.payerScope,
      running: new RunningCalls(),
      cache: new AnswerCache({ maxBytes: 8 * 2 ** 20 }),
      onUnfinished: ({ callId }) => unfinished.push(callId),
    });
    const app = createApp({
      gate: createCallGate(1_000),
      payments: [createToyMethod({ token, bank, ledger }), createFreeMethod()],
      handleCall: (request, sink) => serveCall(deps, request, sink),
      quotesOf: (request) => readQuotes(deps, request),
      maxBodyBytes: 100_000,
      log,
      models: () => ({ object: 'list', data: [], price_root: '0x00', tokens: [] }),
      health: () => ({}),
      ledger,
      blocks: { get: () => Promise.resolve(undefined) },
      runJob: () => Promise.resolve({}),
      operatorToken: 'secret',
    });
    return listen(app, { host: '127.0.0.1', port: 0 });
  }

  const processes = [await startProcess()];
  return {
    ledger,
    /** Calls whose payment could not be finished after the answer. */
    unfinished,
    url: processes[0]?.url ?? '',
    /** The URL of one more process. */
    async addProcess() {
      const added = await startProcess();
      processes.push(added);
      return added.url;
    },
    /** Ends at once, as in a crash: what is under way stays as the books have it. */
    async kill() {
      for (const { server } of processes) {
        server.closeAllConnections();
        server.close();
      }
      await ledger.close();
    },
  };
}
export type ToyRelay = Awaited<ReturnType<typeof startToyRelay>>;
