import { isIPv6 } from 'node:net';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';

/** Bounds how much of free routes one client address may use, at this relay. */
export interface AddressLimits {
  /**
   * Counts a request.
   * @param address as text, IPv4 or IPv6
   * @throws AutoPayError `rate_limit_exceeded` with `retryAfterSeconds`
   */
  take(address: string): void;
}

/** What one address may do. */
export interface FreeLimits {
  requestsPerMinute: number;
  requestsPerDay: number;
}

/** The most addresses that are remembered; the one that asked longest ago is forgotten, and then begins anew. */
const maxAddresses = 100_000;
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Counts of an address in the present minute and day, both of UTC. */
interface Counts {
  minute: number;
  inMinute: number;
  day: number;
  inDay: number;
}

/** Makes the limits of one relay. A request that is refused is not counted. */
export function createAddressLimits(
  { requestsPerMinute, requestsPerDay }: FreeLimits,
  nowMs: () => number,
): AddressLimits {
  const known = new Map<string, Counts>();
  return {
    take(address) {
      const client = networkOf(address);
      const now = nowMs();
      const [minute, day] = [Math.floor(now / minuteMs), Math.floor(now / dayMs)];
      const before = known.get(client);
      const counts: Counts = {
        ...{ minute, inMinute: before?.minute === minute ? before.inMinute : 0 },
        ...{ day, inDay: before?.day === day ? before.inDay : 0 },
      };
      if (counts.inDay >= requestsPerDay) throw refuse(`${requestsPerDay} free calls per day`, (day + 1) * dayMs - now);
      if (counts.inMinute >= requestsPerMinute) {
        throw refuse(`${requestsPerMinute} free calls per minute`, (minute + 1) * minuteMs - now);
      }
      counts.inMinute += 1;
      counts.inDay += 1;
      known.delete(client);
      known.set(client, counts);
      const [oldest] = known.keys();
      if (known.size > maxAddresses && oldest !== undefined) known.delete(oldest);
    },
  };
}

/** Who is counted as one: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has. */
export function networkOf(address: string): string {
  const [bare = ''] = address.split('%');
  const [, mapped] = /^::ffff:([0-9.]+)$/i.exec(bare) ?? [];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(bare)) return bare;
  const [head = '', tail] = bare.toLowerCase().split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  // A dotted end stands for two groups.
  const length = (parts: readonly string[]) => parts.length + (parts.at(-1)?.includes('.') ? 1 : 0);
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - length(before) - length(after));
  const all = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function refuse(what: string, waitMs: number): AutoPayError {
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  const message = `This relay gives ${what} to one address. Try again in ${retryAfterSeconds} s, or take a model that is paid for.`;
  return new AutoPayError('rate_limit_exceeded', message, { facts: { retryAfterSeconds } });
}
