/** How far a pin is, in the words of the IPFS Pinning Service API. At a node a block is `queued` or `pinned`. */
export type PinState = 'queued' | 'pinning' | 'pinned' | 'failed';

/** A block of the log at one of its keepers: the IPFS node, or a pinning service. */
export interface BlockPin {
  /** Log index of the block's first entry. */
  start: number;
  /** Log size with the block. */
  size: number;
  cid: string;
  state: PinState;
  /** What a service calls the pin; null at a node. */
  requestId: string | null;
  /** Failures since it was last as it should be. */
  attempts: number;
  /** Unix milliseconds: when it is tried again, or looked after. */
  nextAtMs: number;
}

/** What became of a try. */
export interface PinResult extends Pick<BlockPin, 'start' | 'state' | 'attempts' | 'nextAtMs'> {
  keeper: string;
  requestId?: string | null;
  /** Why it failed, in words; null if it did not. */
  failure: string | null;
}

/** How far a keeper is. */
export interface PinProgress {
  keeper: string;
  /** Blocks that are not pinned there. */
  waiting: number;
  /** Every block below this log size is pinned. */
  pinnedSize: number;
}

/** The books of where blocks are kept. Every method is one transaction, and resolves when it is durable. */
export interface PinLedger {
  /** What is due at a keeper: new blocks in the order of the log, and others whose time has come, which get half of `limit` at least. */
  listDuePins(options: { keeper: string; nowMs: number; limit: number }): Promise<BlockPin[]>;
  /** What a keeper was asked for and is not yet given up, in the order of the log; 100 at most. */
  listPins(keeper: string): Promise<BlockPin[]>;
  /** Says what became of a block. New blocks MUST be named in the order of the log, each of them: those after the last one are the next. */
  recordPin(result: PinResult): Promise<void>;
  /** The keeper need not keep the block any more. */
  removePin(pin: { keeper: string; start: number }): Promise<void>;
  /** How far each keeper of single blocks is. */
  readPinProgress(keepers: readonly string[]): Promise<PinProgress[]>;
}
