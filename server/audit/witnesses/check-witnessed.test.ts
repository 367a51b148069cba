import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatAddCheckpoint } from '../../../protocol/log/add-checkpoint.ts';
import { createNoteVerifier } from '../../../protocol/log/signed-note.ts';
import { merkleRoot } from '../../../protocol/merkle/inclusion.ts';
import { serveHttp } from '../../../test/support/serve-http.ts';
import { serveWitness } from '../../../witness/serve-witness.ts';
import { openTestWitness, TestLog, type TestWitness } from '../../../witness/witness-fixture.ts';
import { createToyLog } from '../toy-log-fixture.ts';
import { checkWitnessed } from './check-witnessed.ts';

let log: TestLog;
let test: TestWitness;
let url: string;
let closers: (() => Promise<void> | void)[];
beforeEach(async () => {
  log = new TestLog().grow(9);
  test = openTestWitness([{ origin: log.origin, verifierKey: log.signer.verifierKey }]);
  const served = await serveWitness({ witness: test.witness, host: '127.0.0.1', port: 0, log: createToyLog() });
  ({ url } = served);
  closers = [() => test.close(), () => served.close()];
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
});

/** The witness cosigns the log as it is. */
async function cosign(): Promise<void> {
  const oldSize = test.state.latest(log.origin)?.size ?? 0;
  const proof = oldSize === 0 ? [] : log.proof(oldSize);
  expect(await test.witness.addCheckpoint({ oldSize, proof, note: log.checkpoint() })).toMatchObject({ status: 200 });
}

/** A relay starts with what the log has. */
async function check(options: { at?: string; of?: TestLog; signed?: number | null; timeoutMs?: number } = {}) {
  const { at = url, of = log, timeoutMs = 5_000 } = options;
  const { signed = of.leaves.length } = options;
  const relay = createToyLog();
  await checkWitnessed({
    witnesses: [{ url: at, verifier: createNoteVerifier(test.cosigner.verifierKey) }],
    ...{ origin: of.origin, own: [createNoteVerifier(of.signer.verifierKey)], log: relay, timeoutMs },
    signed: signed === null ? undefined : { size: signed, note: of.checkpoint({ size: signed }) },
    tree: {
      size: of.leaves.length,
      rootAt: (size) => Promise.resolve(Buffer.from(merkleRoot(of.leaves.slice(0, size)))),
    },
  });
  return relay.said;
}

/** Something else than a witness, or one whose checkpoints are elsewhere. */
async function serve(answer: (request: { method: string; path: string; body: string }) => [number, string]) {
  const other = await serveHttp((request, response) => {
    void text(request).then((body) => {
      const [status, told] = answer({ method: request.method ?? '', path: request.url ?? '', body });
      response.writeHead(status).end(told);
    });
  });
  closers.push(() => other.stop());
  return other.url;
}

it('a log of which the witness has seen nothing, all, or less than there is goes on', async () => {
  expect(await check()).toEqual([]);
  expect(await check({ signed: null })).toEqual([]);
  await cosign();
  expect(await check()).toEqual([]);
  log.grow(4);
  expect(await check({ signed: 9 })).toEqual([]);
});

it('one that is shorter than what the witness cosigned was put back', async () => {
  await cosign();
  const older = new TestLog({ leaves: log.leaves.slice(0, 8) });
  await expect(check({ of: older })).rejects.toMatchObject({
    code: 'log_rolled_back',
    message: expect.stringMatching(
      /witness\.example\/w1 has cosigned 9 log entries, and the ledger has 8.*log’s own key.*OPERATIONS/,
    ),
    facts: { witness: 'witness.example/w1', url, witnessed: 9, size: 8 },
  });
});

it.each([9, 40])(
  'one of %i entries with others than the witness cosigned was sold from in two places',
  async (size) => {
    await cosign();
    const other = new TestLog({ leaves: log.leaves.slice(0, 7) });
    other.grow(size - 7, 'other');
    await expect(check({ of: other })).rejects.toMatchObject({
      code: 'log_forked',
      facts: { witnessed: 9, size },
    });
  },
);

it('a witness whose checkpoints are elsewhere is told of what was signed last, and names its size', async () => {
  const asked: string[] = [];
  const at = (size: number) =>
    serve(({ method, path, body }) => {
      if (method === 'GET') return [404, ''];
      asked.push(`${path} ${body}`);
      return [409, `${size}\n`];
    });
  expect(await check({ at: await at(4) })).toEqual([]);
  expect(asked).toEqual([`/add-checkpoint ${formatAddCheckpoint({ oldSize: 9, proof: [], note: log.checkpoint() })}`]);
  await expect(check({ at: await at(10) })).rejects.toMatchObject({
    code: 'log_rolled_back',
    message: expect.stringContaining('showed no checkpoint'),
  });
  // The size that it was told of is a conflict of roots; of the empty log there is but one.
  await expect(check({ at: await at(9) })).rejects.toMatchObject({
    code: 'log_forked',
    facts: { witnessed: 9, size: 9 },
  });
  expect(await check({ of: new TestLog(), signed: 0, at: await at(0) })).toEqual([]);
});

it('what a witness made up, or another log of the name signed, does not keep the relay from starting', async () => {
  const other = new TestLog({ seed: 2 }).grow(40);
  const liar = openTestWitness([{ origin: other.origin, verifierKey: other.signer.verifierKey }]);
  closers.push(() => liar.close());
  expect(liar.cosigner.verifierKey).toBe(test.cosigner.verifierKey);
  expect(await liar.witness.addCheckpoint({ oldSize: 0, proof: [], note: other.checkpoint() })).toMatchObject({
    status: 200,
  });
  const shown = liar.state.latest(other.origin)?.note ?? '';
  expect(await check({ at: await serve(() => [200, shown]) })).toEqual([
    expect.stringMatching(/^warn: a witness did not say/),
  ]);
});

it('a witness that refuses the checkpoint as well is told of', async () => {
  for (const answer of [
    [403, 'no'],
    [404, ''],
    [409, 'soon'],
    [500, ''],
  ] as [number, string][]) {
    const at = await serve(({ method }) => (method === 'GET' ? [404, ''] : answer));
    expect(await check({ at })).toEqual([expect.stringMatching(/^warn: a witness did not say/)]);
  }
});

const answers: [string, () => [number, string]][] = [
  ['answers an error', () => [500, 'gone']],
  ['shows a checkpoint that it did not sign', () => [200, log.checkpoint()]],
  ['shows no checkpoint', () => [200, 'hello']],
  ['shows too much', () => [200, 'x'.repeat(20_000)]],
];
it.each(answers)('a witness that %s is told of, and holds nothing up', async (_what, answer) => {
  expect(await check({ at: await serve(answer) })).toEqual([expect.stringMatching(/^warn: a witness did not say/)]);
});

it('so is one that cannot be reached, or shows another log', async () => {
  expect(await check({ at: 'http://127.0.0.1:1' })).toEqual([expect.stringMatching(/^warn: /)]);
  await cosign();
  const shown = test.state.latest(log.origin)?.note ?? '';
  const other = new (class extends TestLog {
    override readonly origin = 'example.com/other';
  })().grow(20);
  expect(await check({ of: other, at: await serve(() => [200, shown]) })).toEqual([expect.stringMatching(/^warn: /)]);
});

it('and one that never answers is waited for only so long', async () => {
  const hung = await serveHttp(() => undefined);
  closers.push(() => hung.stop());
  expect(await check({ at: hung.url, timeoutMs: 50 })).toEqual([expect.stringMatching(/^warn: /)]);
});
