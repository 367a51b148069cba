/** What Hardhat's EVM says of one test after its runs; the part that is counted. Plain tests have other kinds. */
export interface TestResult {
  name: string;
  status: string;
  kind: {
    runs: bigint;
    calls: bigint;
    reverts: bigint;
    /** Of each handler function, by `file:Contract.function`. */
    metrics: Record<string, { calls: bigint; reverts: bigint }>;
  };
}

/** A test contract and its results. */
export interface InvariantSuite {
  id: { name: string };
  testResults: readonly TestResult[];
}

/** How often a handler was called, over all invariants of its suite. */
export interface HandlerCalls {
  /** Contract and function. */
  handler: string;
  calls: bigint;
  reverts: bigint;
}

/** What the runs of one suite came to. */
export interface SuiteCalls {
  suite: string;
  /** Names of the invariants; each has its own runs. */
  invariants: string[];
  /** Of each invariant. */
  runs: bigint;
  /** Of all invariants together. */
  calls: bigint;
  reverts: bigint;
  /** By name. */
  handlers: HandlerCalls[];
}

/**
 * Adds up the calls of each handler.
 * @throws Error if a suite has no invariant, or one that made no call: it would prove nothing
 */
export function countCalls(suites: readonly InvariantSuite[]): SuiteCalls[] {
  return suites.map(countSuite).toSorted((a, b) => a.suite.localeCompare(b.suite));
}

function countSuite({ id, testResults }: InvariantSuite): SuiteCalls {
  const invariants = testResults.filter(({ name }) => name.startsWith('invariant'));
  const handlers = new Map<string, HandlerCalls>();
  for (const { name, kind } of invariants) {
    if (kind.calls === 0n) throw new Error(`${id.name}.${name} made no calls`);
    for (const [key, { calls, reverts }] of Object.entries(kind.metrics)) {
      const handler = key.slice(key.lastIndexOf(':') + 1);
      const sum = handlers.get(handler) ?? { handler, calls: 0n, reverts: 0n };
      handlers.set(handler, { handler, calls: sum.calls + calls, reverts: sum.reverts + reverts });
    }
  }
  const [first] = invariants;
  if (first === undefined) throw new Error(`${id.name} has no invariants`);
  return {
    suite: id.name,
    invariants: invariants.map(({ name }) => name.replace(/\(.*$/, '')).toSorted(),
    runs: first.kind.runs,
    calls: invariants.reduce((sum, { kind }) => sum + kind.calls, 0n),
    reverts: invariants.reduce((sum, { kind }) => sum + kind.reverts, 0n),
    handlers: [...handlers.values()].toSorted((a, b) => a.handler.localeCompare(b.handler)),
  };
}

/** Two tables in Markdown: of the suites, and of their handlers. */
export function describeCalls(suites: readonly SuiteCalls[]): string[] {
  const count = (amount: bigint): string => amount.toLocaleString('en');
  const summary = suites.map(
    ({ suite, invariants, runs, calls, reverts }) =>
      `| \`${suite}\` | ${invariants.length} | ${runs} | ${count(calls)} | ${count(reverts)} |`,
  );
  const handlers = suites.flatMap((one) =>
    one.handlers.map(({ handler, calls, reverts }) => `| \`${handler}\` | ${count(calls)} | ${count(reverts)} |`),
  );
  return [
    ['| suite | invariants | runs of each | calls | reverts |', '| --- | --- | --- | --- | --- |', ...summary].join(
      '\n',
    ),
    ['| handler | calls | reverts |', '| --- | --- | --- |', ...handlers].join('\n'),
  ];
}
