import { plainDeployment } from '../call/routing-terms.ts';
import type { Clock, Deployment } from '../call/types.ts';
import { CircuitBreaker, type CallRole, type CooldownTerms } from './circuit-breaker.ts';
import { MinuteWindow } from './minute-window.ts';

/** Of the newest measurement, in a moving average. */
const newestShare = 0.3;

/** How deployments and keys rest. */
export interface HealthTerms extends CooldownTerms {
  /** How long a provider's region rests, with all its models, that refused the relay's key. */
  refusedKeyMs: number;
}

/** What is known of one deployment. */
interface Entry {
  breaker: CircuitBreaker;
  inFlight: number;
  calls: MinuteWindow;
  tokens: MinuteWindow;
  /** Moving averages: of streams to their first chunk, of JSON to its end. */
  streamMs: number | null;
  jsonMs: number | null;
}

/** How a call at a deployment went, told once it is known. */
export interface Lease {
  /** Its answer has begun (of JSON: has come), after so long. */
  answer(latencyMs: number): void;
  /** Its answer came to its end. */
  succeed(): void;
  fail(): void;
  /** It asked for a pause; null if it did not say how long. */
  rest(durationMs: number | null): void;
  /** It refused the relay's key. */
  refuseKey(): void;
  /** It was given up, and nothing is known. */
  abandon(): void;
  /** The tokens that it used, once they are known: they replace what was assumed. */
  spend(tokens: number): void;
  /** Its connection is free again. May be called more than once. */
  end(): void;
}

/**
 * What this process knows of its deployments: how they answer, how busy they are, and which of them rest. The one state of the
 * router; it has an entry for each deployment of the configuration, and decides nothing about money.
 */
export class DeploymentHealth {
  readonly #entries = new Map<string, Entry>();
  /** By `provider@region`: a region may have a key of its own. */
  readonly #refusedUntilMs = new Map<string, number>();
  readonly #terms: HealthTerms;
  readonly #clock: Clock;

  constructor(terms: HealthTerms, clock: Clock) {
    this.#terms = terms;
    this.#clock = clock;
  }

  /** What strategies go by. */
  describe(
    deployment: Deployment,
    stream: boolean,
  ): { inFlight: number; latencyMs: number | null; tokensInMinute: number } {
    const entry = this.#entryOf(deployment);
    const latencyMs = stream ? entry.streamMs : entry.jsonMs;
    return { inFlight: entry.inFlight, latencyMs, tokensInMinute: entry.tokens.sum(this.#clock.nowMs()) };
  }

  /**
   * When a call may be sent to a deployment: at once (null), or at a time, as far as that is known. Its limits always hold.
   * @param options.tokens what the call may use
   * @param options.isOnly whether nothing else could answer: then it is asked although it rests, since its own refusal says more
   */
  freeAtMs(deployment: Deployment, options: { tokens: number; isOnly: boolean }): number | null {
    const nowMs = this.#clock.nowMs();
    const { breaker, calls, inFlight, tokens } = this.#entryOf(deployment);
    const { maxConcurrentCalls, rpm, tpm } = deployment.terms ?? plainDeployment;
    if (maxConcurrentCalls !== null && inFlight >= maxConcurrentCalls) return nowMs + 1_000;
    if (rpm !== null && calls.sum(nowMs) >= rpm) return calls.fallsToAtMs(rpm - 1, nowMs);
    // A call that alone is above the limit is let through when nothing else is.
    const room = tpm === null ? 0 : Math.max(0, tpm - options.tokens);
    if (tpm !== null && tokens.sum(nowMs) > room) return tokens.fallsToAtMs(room, nowMs);
    if (options.isOnly) return null;
    const refusedUntilMs = this.#refusedUntilMs.get(deployment.id) ?? 0;
    if (refusedUntilMs > nowMs) return refusedUntilMs;
    return breaker.admits(nowMs) ? null : breaker.admitsAtMs(nowMs);
  }

  /** A call is sent. */
  begin(deployment: Deployment, options: { stream: boolean; tokens: number }): Lease {
    const entry = this.#entryOf(deployment);
    const { breaker } = entry;
    const nowMs = this.#clock.nowMs();
    entry.inFlight += 1;
    entry.calls.add(1, nowMs);
    entry.tokens.add(options.tokens, nowMs);
    const role = breaker.begin(nowMs);
    const place = { entry, id: deployment.id, clock: this.#clock, terms: this.#terms, refused: this.#refusedUntilMs };
    return new CallLease(place, { ...options, role, beganAtMs: nowMs });
  }

  /** Whether the deployment, or its key, rests. */
  rests(deployment: Deployment): boolean {
    const refusedUntilMs = this.#refusedUntilMs.get(deployment.id) ?? 0;
    return this.#entryOf(deployment).breaker.isOpen || refusedUntilMs > this.#clock.nowMs();
  }

  /** The provider answers, and takes the key: its deployments may be tried again. */
  revive(deployment: Deployment): void {
    this.#refusedUntilMs.delete(deployment.id);
    this.#entryOf(deployment).breaker.endRest(this.#clock.nowMs());
  }

  #entryOf(deployment: Deployment): Entry {
    // One model at one place is one thing, whatever routes lead there.
    const key = `${deployment.id}\n${deployment.model}`;
    const known = this.#entries.get(key);
    if (known) return known;
    const entry: Entry = {
      breaker: new CircuitBreaker(this.#terms),
      inFlight: 0,
      calls: new MinuteWindow(),
      tokens: new MinuteWindow(),
      streamMs: null,
      jsonMs: null,
    };
    this.#entries.set(key, entry);
    return entry;
  }
}

/** Where a call is made, and what is known there. */
interface Place {
  entry: Entry;
  id: string;
  clock: Clock;
  terms: HealthTerms;
  refused: Map<string, number>;
}

/** A class: every call has one, and closures for each method would be a kilobyte of it. */
class CallLease implements Lease {
  readonly #place: Place;
  readonly #call: { stream: boolean; tokens: number; beganAtMs: number };
  #role: CallRole;
  #isOpen = true;

  constructor(place: Place, call: { stream: boolean; tokens: number; beganAtMs: number; role: CallRole }) {
    this.#place = place;
    this.#call = call;
    this.#role = call.role;
  }

  answer(latencyMs: number): void {
    const { entry, id, refused } = this.#place;
    entry.breaker.pass(this.#takeRole());
    refused.delete(id);
    const key = this.#call.stream ? 'streamMs' : 'jsonMs';
    const before = entry[key];
    entry[key] = before === null ? latencyMs : before + newestShare * (latencyMs - before);
  }

  succeed(): void {
    this.#place.entry.breaker.succeed();
  }

  fail(): void {
    const { clock, entry } = this.#place;
    entry.breaker.fail(this.#takeRole(), clock.nowMs());
  }

  rest(durationMs: number | null): void {
    const { clock, entry } = this.#place;
    entry.breaker.rest(this.#takeRole(), clock.nowMs(), durationMs);
  }

  refuseKey(): void {
    const { clock, entry, id, refused, terms } = this.#place;
    entry.breaker.abandon(this.#takeRole());
    refused.set(id, clock.nowMs() + terms.refusedKeyMs);
  }

  abandon(): void {
    this.#place.entry.breaker.abandon(this.#takeRole());
  }

  spend(tokens: number): void {
    const { clock, entry } = this.#place;
    const { beganAtMs, tokens: assumed } = this.#call;
    entry.tokens.correct(tokens - assumed, { atMs: beganAtMs, nowMs: clock.nowMs() });
  }

  end(): void {
    if (this.#isOpen) this.#place.entry.inFlight -= 1;
    this.#isOpen = false;
  }

  /** A probe decides once: what becomes of its answer after that is as of any call. */
  #takeRole(): CallRole {
    const taken = this.#role;
    this.#role = 'call';
    return taken;
  }
}
