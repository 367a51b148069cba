import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * The address of who asks: the connection's, or, behind proxies that are trusted, what the first of them saw. Each proxy adds
 * to the end of X-Forwarded-For the address that it was asked from, so that whatever a client writes there stands before it.
 *
 * @param trustedProxies how many proxies stand before the relay
 */
export function clientAddressOf(request: Pick<IncomingMessage, 'headers' | 'socket'>, trustedProxies: number): string {
  const peer = request.socket.remoteAddress ?? '';
  if (trustedProxies === 0) return peer;
  const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',');
  const address = forwarded.at(-trustedProxies)?.trim() ?? '';
  // Fewer entries than proxies: the request came past them, so it is the peer that counts.
  return isIP(address) === 0 ? peer : address;
}
