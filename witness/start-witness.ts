import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { noteTypes, parseVerifierKey, type NoteSigner, type NoteVerifier } from '../protocol/log/signed-note.ts';
import { createWitness, type Witness, type WitnessedLog, type WitnessLogger } from './create-witness.ts';
import { openRemoteLog, type RemoteLog } from './fetch-log.ts';
import { lookAtLog } from './follow-log.ts';
import { createEvidenceFolder } from './keep-evidence.ts';
import { serveWitness } from './serve-witness.ts';
import type { WitnessConfig } from './witness-config.ts';
import { openWitnessState } from './witness-state.ts';

/** What a witness is started with. */
export interface StartWitnessOptions {
  /** Its state, and evidence against logs. */
  folder: string;
  cosigner: NoteSigner;
  config: WitnessConfig;
  /**
   * Opens a chain, to ask whether a receipt key of the log's relay signed a checkpoint. See WitnessedLog.
   * @throws AutoPayError `chain_unavailable`, `invalid_configuration`
   */
  openChain: (rpcUrl: string) => Promise<(note: string) => Promise<NoteVerifier>>;
  log: WitnessLogger;
}

/** A witness that is running. */
export interface RunningWitness {
  url: string;
  /** What checks its cosignatures. */
  verifierKey: string;
  origins: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts a witness: it answers logs that send their checkpoints, and looks at those that it has a URL of.
 * @throws AutoPayError `invalid_configuration`, `port_taken`, `chain_unavailable`; of a log without a key, as `openRemoteLog`
 */
export async function startWitness(options: StartWitnessOptions): Promise<RunningWitness> {
  const { folder, cosigner, config, log } = options;
  const { host, port, intervalSeconds } = config;
  const stopping = new AbortController();
  const { signal } = stopping;
  const logs = await Promise.all(config.logs.map((entry) => openLog(entry, { ...options, signal })));
  const state = openWitnessState(folder);
  try {
    const evidence = createEvidenceFolder(join(folder, 'evidence'));
    const witness = createWitness({ cosigner, logs: logs.map(({ known }) => known), state, evidence, log });
    const served = await serveWitness({ witness, host, port, log });
    const following = logs.map(({ known, remote }) =>
      remote === undefined
        ? undefined
        : follow({ witness, known, remote, log }, { intervalMs: intervalSeconds * 1_000, signal }),
    );
    return {
      ...{ url: served.url, verifierKey: cosigner.verifierKey, origins: logs.map(({ known }) => known.origin) },
      async close() {
        stopping.abort();
        await Promise.all([served.close(), ...following]);
        state.close();
      },
    };
  } catch (error) {
    state.close();
    throw error;
  }
}

/** A log as the witness knows it. A key that only the log itself names counts for no more than what the chain vouches for. */
async function openLog(
  { url, key, rpcUrl }: WitnessConfig['logs'][number],
  { openChain, signal }: Pick<StartWitnessOptions, 'openChain'> & { signal: AbortSignal },
): Promise<{ known: WitnessedLog; remote: RemoteLog | undefined }> {
  const remote = url === undefined ? undefined : openRemoteLog(url, signal);
  const verifierKey = key ?? (await remote?.fetchKeys())?.find(isEd25519) ?? '';
  if (!isEd25519(verifierKey)) {
    throw new AutoPayError('invalid_configuration', `The log ${url ?? key} needs a verifier key of type Ed25519.`);
  }
  const findReceiptKey = rpcUrl === undefined ? {} : { findReceiptKey: await openChain(rpcUrl) };
  return { known: { origin: parseVerifierKey(verifierKey).name, verifierKey, ...findReceiptKey }, remote };
}

function isEd25519(key: string): boolean {
  try {
    return parseVerifierKey(key).type === noteTypes.ed25519;
  } catch {
    return false;
  }
}

/** Looks at the log again and again. What it finds is logged; nothing ends it but the signal. */
async function follow(
  { log, ...parts }: { witness: Witness; known: WitnessedLog; remote: RemoteLog; log: WitnessLogger },
  { intervalMs, signal }: { intervalMs: number; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await lookAtLog(parts);
    } catch (error) {
      const facts = { origin: parts.known.origin, error: error instanceof Error ? error.message : String(error) };
      log.error(facts, 'looked at a log, and did not cosign it');
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
  }
}
