import { join } from 'node:path';
import { createBlockStore } from './audit/block-store.ts';
import { sweepLeftOvers } from './audit/replace-file.ts';
import type { RelayKeys } from './config/read-keys.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createCosigning } from './create-cosigning.ts';
import { createLog } from './create-log.ts';
import { createEvidencePruning } from './evidence/prune-evidence.ts';
import { createPinning } from './ipfs/create-pinning.ts';
import type { RelayLedger } from './ledger/open-ledger.ts';
import { openAuditQueries } from './ledger/queries/open-audit-queries.ts';
import type { Log } from './log.ts';

/** What the audit trail is opened with. */
export interface AuditTrailOptions {
  config: RelayConfig;
  dataDir: string;
  env: Readonly<Record<string, string | undefined>>;
  keys: RelayKeys;
  ledger: RelayLedger;
  log: Log;
  nowMs: () => number;
}

/**
 * Opens the audit trail of a data folder: the one log of a relay, with its blocks, its witnesses, and what can be asked of it. What the
 * ledger has is signed at once, once it is found to continue what was signed before; nothing is submitted or pinned before `start`.
 *
 * @throws AutoPayError as `createLog` and `createPinning`; nothing is left open then
 */
export async function openAuditTrail(options: AuditTrailOptions) {
  const { config, dataDir, env, ledger, log, nowMs } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closeOne of closers.toReversed()) await closeOne();
  };
  try {
    await sweepLeftOvers(join(dataDir, 'prices'));
    const blocks = createBlockStore(join(dataDir, 'blocks'));
    const auditLog = await createLog(options);
    closers.push(() => auditLog.stop());
    const { tree } = auditLog;
    const queries = openAuditQueries({ file: join(dataDir, 'ledger.sqlite') });
    closers.push(() => queries.close());
    const pinning = await createPinning({ config, ledger, blocks, env, log, nowMs });
    const cosigning = createCosigning({ config: config.audit, tree, log, nowMs });
    const retentionDays = config.audit.evidenceRetentionDays;
    const pruning = createEvidencePruning({ ledger, retentionDays, log, nowMs });
    const { requirePinned } = pinning;
    const { anchorableSize } = cosigning;
    return {
      /** For the work on each chain. */
      anchoring: { blocks, tree, anchorableSize, requirePinned },
      /** For the HTTP side. */
      app: {
        ...{ auditLog, blocks, audit: { ledger, queries, log: tree } },
        ...{ ipfs: () => pinning.state(), witnesses: () => cosigning.state() },
      },
      start() {
        auditLog.start();
        pinning.start();
        cosigning.start();
        pruning.start();
      },
      /** To be called before the chains are closed: an anchor that waits for a node or a witness that hangs ends with it. */
      async interrupt() {
        await Promise.all([pinning.stop(), cosigning.stop(), pruning.stop()]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
