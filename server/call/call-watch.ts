import type { CallLimits, ResponseSink } from './types.ts';

/** Why the relay gave up on the upstream. */
export type GiveUpReason = 'call_timeout' | 'drain_timeout' | 'not_durable';

/** Providers give up a connection that is not read for some tens of seconds; buffers hide shorter pauses. */
const heldBackAfterMs = 5_000;

/**
 * Watches one call's client and clock. A client that goes, or that takes no bytes for `idleTimeoutMs`, does not end the
 * call: the upstream has done the work and bills it, so it is read on to its usage, for at most `drainTimeoutMs`; what was
 * read until then is charged.
 */
export class CallWatch {
  readonly #sink: ResponseSink;
  readonly #limits: CallLimits;
  readonly #controller = new AbortController();
  /** Few calls ever wait for anything but an answer. */
  #gone: AbortController | undefined;
  readonly #callTimer: NodeJS.Timeout;
  #drainTimer: NodeJS.Timeout | undefined;
  #writing = false;
  #clientGone = false;
  #heldBack = false;
  #reason: GiveUpReason | null = null;
  readonly #atEnd: (() => void)[] = [];

  constructor(options: { sink: ResponseSink; limits: CallLimits; durable: Promise<void> }) {
    this.#sink = options.sink;
    this.#limits = options.limits;
    this.#callTimer = setTimeout(() => this.#timeOut(), options.limits.callTimeoutMs);
    options.sink.onClose(() => this.#loseClient());
    options.durable.catch(() => this.#giveUp('not_durable'));
  }

  /** Aborts the upstream. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get clientGone(): boolean {
    return this.#clientGone;
  }

  /** Aborted when the client has gone: what only waits need not go on. */
  get leaving(): AbortSignal {
    this.#gone ??= new AbortController();
    if (this.#clientGone) this.#gone.abort();
    return this.#gone.signal;
  }

  /** Whether the client took its bytes so slowly that the upstream was not read for a while. */
  get heldBack(): boolean {
    return this.#heldBack;
  }

  /** Why the upstream was aborted; null if it was not. */
  get reason(): GiveUpReason | null {
    return this.#reason;
  }

  /** Writes to the client, if it is there; gives it up when it takes nothing for too long. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#clientGone) return;
    const taken = this.#sink.write(bytes);
    // Most writes: the client reads as fast as the provider sends.
    if (taken === undefined) return;
    this.#writing = true;
    const startedAtMs = performance.now();
    const stall = setTimeout(() => this.#dropClient(), this.#limits.idleTimeoutMs);
    await taken;
    clearTimeout(stall);
    if (performance.now() - startedAtMs >= heldBackAfterMs) this.#heldBack = true;
    this.#writing = false;
  }

  /** Closes the upstream's connection, whatever is being read of it. */
  leaveUpstream(): void {
    this.#controller.abort();
  }

  /** Has something done when the call has ended, however it did. */
  atEnd(work: () => void): void {
    this.#atEnd.push(work);
  }

  /** Stops all timers. */
  end(): void {
    for (const work of this.#atEnd) work();
    clearTimeout(this.#callTimer);
    clearTimeout(this.#drainTimer);
  }

  #timeOut(): void {
    if (this.#clientGone) return;
    // A client that reads slowly must not get its answer for nothing: it is dropped, and charged for what is generated.
    if (this.#writing) this.#dropClient();
    else this.#giveUp('call_timeout');
  }

  #dropClient(): void {
    this.#heldBack = true;
    this.#loseClient();
    this.#sink.destroy();
  }

  #loseClient(): void {
    if (this.#clientGone) return;
    this.#clientGone = true;
    this.#gone?.abort();
    this.#drainTimer = setTimeout(() => this.#giveUp('drain_timeout'), this.#limits.drainTimeoutMs);
  }

  #giveUp(reason: GiveUpReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#controller.abort();
  }
}
