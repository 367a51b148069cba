import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { TransactionQueue } from '../chain/send-queued-transactions.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/** What a collection run works with. */
export interface CollectionDeps {
  ledger: BackgroundLedger;
  queue: TransactionQueue;
  client: ChainClient;
  /** The relay's account, for simulated calls. */
  relay: Hex;
  contracts: { paymentChannels: Hex; autoPayLLM: Hex; auditLog: Hex };
  /** What the bond lacked when the log last heard of it, by token: it hears of changes only. */
  shortBonds: Map<Hex, bigint>;
  /** Batches of unfinished bookings whose spends over budget the log has heard of. */
  toldBatches: Set<string>;
  /** The most channels in one transaction. */
  maxClaims: number;
  log: JobLog;
}
