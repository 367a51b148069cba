import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toFunctionSelector } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { doubleTerms } from './relay-double.ts';

/** A double of a chain's node. The real one is met in test/e2e. */
export interface ChainDouble {
  rpcUrl: string;
  /** What a contract's view answers, by its signature; every other one says yes, or one. */
  answers: Map<string, number>;
  /** Signatures of the functions whose calls revert. */
  reverting: Set<string>;
  /** The accounts that the node signs for; none at first. */
  accounts: Hex[];
  /** The transactions that it was asked to sign; each succeeds. */
  sent: { from: Hex; to: Hex; data?: Hex; value?: Hex }[];
  /** Lets it take questions and answer none from now on. */
  hang: () => void;
  close: () => Promise<void>;
}

/** Starts a node of the relay double's chain on a free port; it knows the decimals of the double's token. */
export async function startChainDouble(): Promise<ChainDouble> {
  const answers = new Map([['decimals()', doubleTerms.token.decimals]]);
  const word = (value: number) => `0x${value.toString(16).padStart(64, '0')}`;
  const reverting = new Set<string>();
  const accounts: Hex[] = [];
  const sent: ChainDouble['sent'] = [];
  let isHanging = false;
  const hash = word(1);
  const results: Record<string, (call?: object & { data?: string }) => unknown> = {
    eth_accounts: () => accounts,
    eth_sendTransaction: (call) => {
      sent.push(call as ChainDouble['sent'][number]);
      return hash;
    },
    eth_getTransactionReceipt: () => ({ transactionHash: hash, blockNumber: '0x1', status: '0x1', logs: [] }),
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
      if (isHanging) return;
      const { id, method, params } = JSON.parse(text) as { id: number; method: string; params?: [{ data?: string }] };
      const asked = params?.[0]?.data;
      const isReverted =
        method === 'eth_call' && [...reverting].some((signature) => asked?.startsWith(toFunctionSelector(signature)));
      const outcome = isReverted
        ? { error: { code: 3, message: 'execution reverted', data: '0x' } }
        : { result: results[method]?.(params?.[0]) ?? word(1) };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    reverting,
    accounts,
    sent,
    hang: () => void (isHanging = true),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
