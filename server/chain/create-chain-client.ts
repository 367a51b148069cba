import { createPublicClient, defineChain, http, type PublicClient } from 'viem';

/** A connection for reading the chain and for sending raw transactions; it holds no key. */
export type ChainClient = PublicClient;

/** How a connection is made. */
export interface ChainClientOptions {
  /** JSON-RPC endpoint. It may carry an access key: never log it. */
  rpcUrl: string;
  /** EIP-155 chain id. */
  chainId: number;
  /** After this, a request counts as failed. */
  timeoutMs?: number;
  /** How often a receipt is asked for. */
  pollingIntervalMs?: number;
}

/** Connects to a JSON-RPC endpoint. Failed requests are repeated twice here and nowhere else. */
export function createChainClient(options: ChainClientOptions): ChainClient {
  const { rpcUrl, chainId, timeoutMs = 15_000, pollingIntervalMs = 500 } = options;
  const chain = defineChain({
    id: chainId,
    name: `chain ${chainId}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
  // Reads of many channels at once become one HTTP request.
  const transport = http(rpcUrl, { timeout: timeoutMs, retryCount: 2, batch: { batchSize: 50 } });
  return createPublicClient({ chain, transport, pollingInterval: pollingIntervalMs, cacheTime: 0 });
}
