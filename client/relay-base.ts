/**
 * What a relay's paths begin with: its origin, and `/chains/<id>` where it is paid on several chains and one of them is meant
 * (docs/PROTOCOL.md, "Several chains").
 *
 * @param url of the relay; what else its path has does not count
 * @param chainId the chain, where the URL names none; undefined: the relay's home chain
 */
export function relayBaseOf(url: string, chainId?: number): string {
  const { origin, pathname } = new URL(url);
  const [named = chainId === undefined ? '' : `/chains/${chainId}`] = chainPath.exec(pathname) ?? [];
  return origin + named;
}

/** The path of a URL behind the relay's base, without `/v1` and slashes at its end. */
export function pathBehindBase(url: string): string {
  return new URL(url).pathname.replace(chainPath, '').replace(/\/(v1\/?)?$/, '');
}

const chainPath = /^\/chains\/[1-9][0-9]{0,15}(?=\/|$)/;
