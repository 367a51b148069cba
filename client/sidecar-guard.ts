import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { isOwnHost, isOwnOrigin } from './loopback-guard.ts';

/** Shorter ones could be guessed. */
const minTokenLength = 16;

/** Keeps a sidecar, which spends money, from whoever has no business there. */
export interface SidecarGuard {
  /** @throws AutoPayError `forbidden` for what a web page of another site could send. */
  refuseForeign(request: IncomingMessage): void;
  /** @throws AutoPayError `login_required` without the token, if there is one. */
  requireToken(request: IncomingMessage): void;
}

/** Whether an address to listen on can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Requires that a sidecar others can reach asks for a token.
 * @throws AutoPayError `invalid_configuration`
 */
export function requireGuard(host: string, token: string | undefined): void {
  if (token === undefined && !isLoopback(host)) {
    throw new AutoPayError(
      'invalid_configuration',
      `Whoever reaches ${host} could spend this wallet's money. Set AUTOPAY_PROXY_TOKEN, or listen on 127.0.0.1.`,
    );
  }
  if (token !== undefined && (token.length < minTokenLength || !/^[!-~]+$/.test(token))) {
    throw new AutoPayError(
      'invalid_configuration',
      `AUTOPAY_PROXY_TOKEN has to be at least ${minTokenLength} printable characters without spaces, such as from: openssl rand -hex 24`,
    );
  }
}

/** Makes the guard of a sidecar; elsewhere than on loopback any `Host` is right, and the token keeps strangers out. */
export function createGuard(options: { token: string | undefined; isLoopback: boolean }): SidecarGuard {
  const expected = options.token === undefined ? undefined : digest(options.token);
  return {
    refuseForeign({ headers, socket }) {
      const port = socket.localPort ?? 0;
      const isHere = isOwnOrigin(headers.origin);
      if (options.isLoopback ? isOwnHost(headers.host, port) && isHere : isHere || isOwnPage(headers)) return;
      throw new AutoPayError(
        'forbidden',
        `The sidecar spends money, so it answers no web pages of other sites. Use http://127.0.0.1:${port}.`,
      );
    },
    requireToken({ headers }) {
      if (expected === undefined) return;
      const [, bearer] = /^bearer +(\S+)\s*$/i.exec(headers.authorization ?? '') ?? [];
      const key = headers['x-api-key'];
      const given = bearer ?? (typeof key === 'string' ? key : '');
      // Digests have one length, so that comparing tells nothing of the token's.
      if (timingSafeEqual(digest(given), expected)) return;
      throw new AutoPayError(
        'login_required',
        'This sidecar asks for a token. Give the value of its AUTOPAY_PROXY_TOKEN as API key (Authorization: Bearer …).',
      );
    },
  };
}

/** A page of this sidecar itself, such as its documentation, seen from another machine. */
function isOwnPage({ host, origin }: IncomingMessage['headers']): boolean {
  return origin !== undefined && URL.parse(origin)?.host === host?.toLowerCase();
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
