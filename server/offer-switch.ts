import type { RequestListener } from 'node:http';
import type { CallGate } from './http/call-gate.ts';

/** What is sold at a time: routes, providers and prices that belong together, behind HTTP. */
export interface Offer {
  listener: RequestListener;
  /** Frees what only this offer uses. Called once, after its last request and call. MUST NOT throw. */
  close(): Promise<void>;
}

/** The present offer, and those before it that are still at work. */
export interface OfferSwitch {
  /** Answers each request by the offer that is current as it comes; to its end, whatever is offered then. */
  listener: RequestListener;
  /**
   * Offers something else from the next request on; the one before is closed when its last request and call have ended.
   * @param make gets the gate that the calls of this offer have to pass; if it throws, nothing changes
   */
  replace(make: (gate: CallGate) => Offer): void;
  /** Closes every offer at once, whatever is under way. */
  close(): Promise<void>;
}

interface Running {
  offer: Offer;
  /** Requests without their answer, and calls; a call may outlive its client. */
  underWay: number;
  closed: Promise<void> | undefined;
}

/**
 * Lets offers follow each other without dropping a call.
 * @param gate the relay's, which counts the calls of all offers
 */
export function createOfferSwitch(gate: CallGate, first: (gate: CallGate) => Offer): OfferSwitch {
  const open = new Set<Running>();
  const close = (one: Running): Promise<void> => (one.closed ??= one.offer.close().finally(() => open.delete(one)));
  const begin = (one: Running): (() => void) => {
    one.underWay += 1;
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      one.underWay -= 1;
      if (one !== current && one.underWay === 0) void close(one);
    };
  };
  const start = (make: (gate: CallGate) => Offer): Running => {
    const counted: CallGate = {
      beginCheck: () => gate.beginCheck(),
      enter() {
        const leave = gate.enter();
        const end = begin(running);
        return () => {
          end();
          leave();
        };
      },
      drain: () => gate.drain(),
      get stopping() {
        return gate.stopping;
      },
    };
    const running: Running = { offer: make(counted), underWay: 0, closed: undefined };
    open.add(running);
    return running;
  };
  let current = start(first);
  return {
    listener(request, response) {
      const mine = current;
      response.once('close', begin(mine));
      return mine.offer.listener(request, response);
    },
    replace(make) {
      const before = current;
      current = start(make);
      if (before.underWay === 0) void close(before);
    },
    async close() {
      await Promise.all([...open].map(close));
    },
  };
}
