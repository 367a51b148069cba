import { rankMethods } from './accept-payment.ts';
import type { Challenge, ChallengeContext, PaymentMethod } from './payment-method.ts';

/** What a 402 carries. */
export interface Offer {
  headers: Readonly<Record<string, string>>;
  /** Top-level members of the body beside `error`. */
  body: Readonly<Record<string, unknown>>;
  /** Members of `error`. */
  facts: Readonly<Record<string, string | number>>;
}

/** The most bytes of all headers of a 402 together; proxies commonly refuse more than 4 KiB (nginx: one page). */
const maxHeaderBytes = 4_096;
/** What an answer carries besides: status line, date, length, ids. */
const otherHeaderBytes = 640;
/** The most that the offers' headers may take: names, values and line ends. */
export const maxOfferBytes: number = maxHeaderBytes - otherHeaderBytes;

/**
 * The challenges of all methods as one, in the order of the methods or of the client's `Accept-Payment`. Where their headers
 * would be too long, the last method that has more offers than it needs leaves out its last one, until they fit; then the last that has
 * more than one: each method keeps its best offer as long as there is room. The body has all offers. Where two give the same member, the first wins.
 */
export function collectChallenges(
  methods: readonly PaymentMethod[],
  context: ChallengeContext,
  acceptPayment?: string,
): Offer {
  const challenges = rankMethods(methods, acceptPayment).flatMap((method) => method.challenge(context) ?? []);
  const body: Record<string, unknown> = {};
  const facts: Record<string, string | number> = {};
  for (const challenge of challenges) {
    for (const [name, value] of Object.entries(challenge.body ?? {})) body[name] ??= value;
    for (const [name, value] of Object.entries(challenge.facts)) facts[name] ??= value;
  }
  return { headers: fitHeaders(challenges), body, facts };
}

function fitHeaders(challenges: readonly Challenge[]): Record<string, string> {
  const kept = challenges.map((challenge) => ({ challenge, count: challenge.offers }));
  for (;;) {
    const headers = mergeHeaders(kept);
    if (lengthOf(headers) <= maxOfferBytes) return headers;
    const last =
      kept.findLast(({ challenge, count }) => count > (challenge.least ?? 1)) ??
      kept.findLast(({ count }) => count > 1) ??
      kept.findLast(({ count }) => count > 0);
    if (last === undefined) return {};
    last.count -= 1;
  }
}

/** Several challenges may stand in one header, parted by commas (RFC 9110 §11.6.1). */
function mergeHeaders(kept: readonly { challenge: Challenge; count: number }[]): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const { challenge, count } of kept) {
    if (count === 0) continue;
    for (const [name, value] of Object.entries(challenge.headers(count))) {
      const before = merged[name];
      merged[name] = before === undefined ? value : `${before}, ${value}`;
    }
  }
  return merged;
}

function lengthOf(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) bytes += Buffer.byteLength(`${name}: ${value}\r\n`);
  return bytes;
}
