const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * Whether a `Host` header names this machine's loopback. A web page can make a browser send requests to 127.0.0.1 under a
 * name of its own (DNS rebinding), but not under one of these.
 */
export function isOwnHost(host: string | undefined, port: number): boolean {
  const match = /^(.+?)(?::(\d+))?$/.exec(host?.toLowerCase() ?? '');
  return match?.[1] !== undefined && loopbackNames.has(match[1]) && Number(match[2] ?? 80) === port;
}

/** Whether a request comes from no web page (no `Origin`), or from one that this machine serves. */
export function isOwnOrigin(origin: string | undefined): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, hostname } = new URL(origin);
  return (protocol === 'http:' || protocol === 'https:') && loopbackNames.has(hostname);
}
