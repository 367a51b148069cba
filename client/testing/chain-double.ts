import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toFunctionSelector } from 'viem';
import { doubleTerms } from './relay-double.ts';

/** A double of a chain's node. The real one is met in test/e2e. */
export interface ChainDouble {
  rpcUrl: string;
  /** What a contract's view answers, by its signature; every other one says yes, or one. */
  answers: Map<string, number>;
  close: () => Promise<void>;
}

/** Starts a node of the relay double's chain on a free port; it knows the decimals of the double's token. */
export async function startChainDouble(): Promise<ChainDouble> {
  const answers = new Map([['decimals()', doubleTerms.token.decimals]]);
  const word = (value: number) => `0x${value.toString(16).padStart(64, '0')}`;
  const results: Record<string, (call?: { data?: string }) => unknown> = {
    eth_chainId: () => `0x${doubleTerms.chainId.toString(16)}`,
    eth_getBlockByNumber: () => ({ number: '0x1', timestamp: '0x1', transactions: [] }),
    eth_call: (call) => {
      const asked = [...answers].find(([signature]) => call?.data?.startsWith(toFunctionSelector(signature)));
      return word(asked?.[1] ?? 1);
    },
  };
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const { id, method, params } = JSON.parse(text) as { id: number; method: string; params?: [{ data?: string }] };
      const result = results[method]?.(params?.[0]) ?? word(1);
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
