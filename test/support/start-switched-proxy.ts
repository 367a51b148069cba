import { text } from 'node:stream/consumers';
import { serveHttp } from './serve-http.ts';

/** A JSON-RPC endpoint in front of another one, which can be cut off. */
export interface SwitchedProxy {
  url: string;
  /** Whether requests pass; their connections are broken where not. */
  isOn: boolean;
  stop(): Promise<void>;
}

/** Starts a proxy that passes requests on to `target`. */
export async function startSwitchedProxy(target: string): Promise<SwitchedProxy> {
  const state = { isOn: true };
  const { url, stop } = await serveHttp((request, response) => {
    if (!state.isOn) return void request.destroy();
    const forward = async () => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(target, { method: 'POST', headers, body: await text(request) });
      response.writeHead(answer.status, headers).end(await answer.text());
    };
    forward().catch(() => response.destroy());
  });
  return Object.assign(state, { url, stop });
}
