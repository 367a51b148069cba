import { join } from 'node:path';
import { addressOfPrivateKey } from '../protocol/bytes/secp256k1.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import { createRelaySigner, createRelayVerifier } from '../protocol/log/relay-signature.ts';
import { createNoteSigner, createNoteVerifier } from '../protocol/log/signed-note.ts';
import { createTileTree } from '../protocol/log/tile-tree.ts';
import type { GrowingTree } from './audit/grow-tree.ts';
import { openLogTree, type LogTree } from './audit/log-tree.ts';
import { openTree, requireRoot, type Statement } from './audit/open-tree.ts';
import { createPublisher, readCheckpointFile } from './audit/publish-checkpoint.ts';
import { createEntryReader, type EntryReader } from './audit/read-entries.ts';
import { sweepLeftOvers } from './audit/replace-file.ts';
import { createTileStore } from './audit/tile-store.ts';
import { checkWitnessed } from './audit/witnesses/check-witnessed.ts';
import { createJob } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import type { RelayKeys } from './config/read-keys.ts';
import type { RelayConfig } from './config/relay-config.ts';
import type { BackgroundLedger } from './ledger/background-ledger.ts';

/** What a relay's log is made of. */
export interface RelayLogOptions {
  /** Of the home chain: there is one log. */
  config: Pick<RelayConfig, 'audit'> & {
    chain: Pick<RelayConfig['chain'], 'id'>;
    contracts: Pick<RelayConfig['contracts'], 'autoPayLLM'>;
  };
  dataDir: string;
  keys: Pick<RelayKeys, 'logKey' | 'relayKey'>;
  ledger: BackgroundLedger;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** The relay's transparency log. */
export interface RelayLog {
  tree: LogTree;
  readEntries: EntryReader;
  /** What its signatures are checked with, see `formatVerifierKey`: the log's key first, then the relay's receipt key. */
  verifierKeys: readonly string[];
  /** Begins to take in what is charged. What fails is logged and tried again. */
  start(): void;
  stop(): Promise<void>;
}

/**
 * Opens the log of a data folder: `log/` in it has the full tiles and the newest checkpoint. What the ledger leads to is compared
 * with all that was signed before, and with what the witnesses cosigned; a size that was signed is never signed with another root, and
 * no smaller one ever again.
 *
 * @throws AutoPayError `log_rolled_back`, `log_forked`, `verification_failed`
 */
export async function createLog(options: RelayLogOptions): Promise<RelayLog> {
  const { config, dataDir, keys, ledger, log } = options;
  const { chain, contracts, audit } = config;
  const folder = join(dataDir, 'log');
  const file = join(folder, 'checkpoint');
  const origin = originOf({ chainId: chain.id, autoPayLLM: contracts.autoPayLLM });
  const scope = { chainId: chain.id, verifyingContract: contracts.autoPayLLM };
  await sweepLeftOvers(folder);
  const stored = await ledger.newestCheckpoint();
  const nowMs = createForwardClock(options.nowMs, stored?.signedAtMs ?? 0);
  const logSigner = createNoteSigner({ name: origin, seed: keys.logKey });
  const signers = [logSigner, createRelaySigner({ name: origin, scope, receiptKey: keys.relayKey, nowMs })];

  const statements = [stored, await readCheckpointFile(file, origin), await ledger.lastBlock()].filter(
    (statement) => statement !== undefined,
  );
  const grown = await openGrown({ store: createTileStore(folder), ledger, log }, statements);
  await checkWitnessed({
    ...{ origin, signed: stored, log },
    // The log's key may be a new one; the receipt key has signed the same.
    own: [
      createNoteVerifier(logSigner.verifierKey),
      createRelayVerifier({ name: origin, scope, signer: addressOfPrivateKey(keys.relayKey) }),
    ],
    tree: { size: grown.size(), rootAt: (size) => rootAt(grown, size) },
    witnesses: audit.witnesses.map(({ url, key }) => ({ url, verifier: createNoteVerifier(key) })),
  });
  const tree = await openLogTree({
    ...{ tree: grown, nowMs, maxAgeMs: audit.maxCheckpointAgeSeconds * 1_000 },
    publisher: createPublisher({ ledger, file, origin, signers, nowMs }),
    newest: stored && { origin, ...stored },
  });
  const intervalMs = audit.maxMergeDelaySeconds * 500;
  // Half of the delay: an entry that just missed a run is in the next one, which takes some time itself.
  const job = createJob({ name: 'log', intervalMs, maxRetryMs: intervalMs * 2, work: () => tree.update(), log });
  return {
    tree: { ...tree, update: () => job.run() },
    readEntries: createEntryReader({ ledger, tree }),
    verifierKeys: signers.map(({ verifierKey }) => verifierKey),
    start: () => job.start(),
    stop: () => job.stop(),
  };
}

/**
 * A clock that stands still where the other one goes back. A larger log must not be signed at an earlier time than a smaller one: to a
 * witness that sees the smaller one again, it would look like a log that was put back.
 */
function createForwardClock(nowMs: () => number, fromMs: number): () => number {
  let latest = fromMs;
  return () => (latest = Math.max(latest, nowMs()));
}

/** The tree over all that the ledger has, once that is found to continue everything that was signed. */
async function openGrown(deps: Parameters<typeof openTree>[0], statements: readonly Statement[]): Promise<GrowingTree> {
  const largest = statements.toSorted((a, b) => b.size - a.size)[0];
  const tree = await openTree(deps, largest);
  await tree.grow();
  for (const statement of statements) requireRoot(statement, await rootAt(tree, statement.size));
  return tree;
}

/** RFC 6962 root of the first `size` entries. */
function rootAt(tree: GrowingTree, size: number): Promise<Uint8Array> {
  return createTileTree({ size, readTile: (tile) => tree.readTile(tile) }).subtreeRoot(0, size);
}
