import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { LOCAL_CHAIN_ID, LOCAL_DEPLOYER_KEY, startLocalChain } from './start-local-chain.ts';
import type { Workplace } from './workplace.ts';

/** The chain that a stack works on. */
export interface Chain {
  id: number;
  rpcUrl: string;
  /** The account that deploys, and pays for gas. */
  deployerKey: Hex;
}

/**
 * Starts a chain in memory.
 * @param start when it begins, instead of now
 */
export async function startOwnChain(place: Workplace, start?: Date): Promise<Chain> {
  place.log('starting a local L2 chain');
  const part = await place.keep(await startLocalChain({ ...place, ...(start === undefined ? {} : { start }) }));
  return { id: LOCAL_CHAIN_ID, rpcUrl: part.ready, deployerKey: LOCAL_DEPLOYER_KEY };
}

/**
 * Finds out about a chain outside.
 *
 * @throws AutoPayError `chain_unavailable`; `invalid_configuration` if nobody is there to pay on it
 */
export async function connectOutsideChain(options: { rpcUrl: string; deployerKey: Hex | undefined }): Promise<Chain> {
  const { rpcUrl } = options;
  const id = await readChainId(rpcUrl);
  const deployerKey = options.deployerKey ?? (id === LOCAL_CHAIN_ID ? LOCAL_DEPLOYER_KEY : undefined);
  if (deployerKey !== undefined) return { id, rpcUrl, deployerKey };
  throw new AutoPayError(
    'invalid_configuration',
    `Chain ${id} is no development chain: set AUTOPAY_DEPLOYER_KEY to the key (0x…) of the account that deploys and pays.`,
  );
}

async function readChainId(rpcUrl: string): Promise<number> {
  try {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      signal: AbortSignal.timeout(15_000),
    });
    const { result } = (await response.json()) as { result?: unknown };
    if (typeof result === 'string' && /^0x[0-9a-f]+$/i.test(result)) return Number(result);
    throw new Error(`HTTP ${response.status}, without a chain id`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    // The URL may carry a key: only its host is shown.
    const host = URL.parse(rpcUrl)?.host ?? 'the given address';
    throw new AutoPayError(
      'chain_unavailable',
      `The RPC endpoint at ${host} does not answer (${why}). Check --rpc-url.`,
      {
        cause,
      },
    );
  }
}
