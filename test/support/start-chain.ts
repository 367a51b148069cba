import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../scripts/stack/find-port.ts';
import { localChainArguments } from '../../scripts/stack/start-local-chain.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * A local L2 of its own: `hardhat node --network l2`; or, where ANVIL_BIN names the program, an independent EVM: anvil as an
 * OP stack.
 */
export interface LocalChain {
  rpcUrl: string;
  chainId: number;
  /** One JSON-RPC request; throws what the node answers as an error. */
  request(method: string, params?: readonly unknown[]): Promise<unknown>;
  /** Mines empty blocks. One by one: the simulated OP chain of Hardhat 3.18 dies of `hardhat_mine` with a large count. */
  mine(count: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a chain on a free port of 127.0.0.1 and waits until it answers.
 * @param options.chainId 31337 by default
 * @param options.start when the chain begins, instead of now
 */
export async function startChain(options: { chainId?: number; start?: Date } = {}): Promise<LocalChain> {
  const { chainId = 31_337, start } = options;
  const port = await findFreePort();
  const rpcUrl = `http://127.0.0.1:${port}`;
  const [program, ...args] = chainCommand(port, chainId, start);
  const ours = { AUTOPAY_CHAIN_ID: String(chainId), ...(start && { AUTOPAY_CHAIN_START: start.toISOString() }) };
  const env = { ...process.env, ...ours };
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000);
  });

  const request = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    const answer = (await response.json()) as { result?: unknown; error?: { message: string } };
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  };

  const deadline = Date.now() + 180_000;
  while (true) {
    if (child.exitCode !== null) throw new Error(`the chain ended with ${child.exitCode}: ${errors}`);
    try {
      await request('eth_chainId');
      break;
    } catch (error) {
      if (Date.now() > deadline) {
        await stopChild(child);
        throw new Error(`the chain does not answer: ${errors}`, { cause: error });
      }
      await sleep(150);
    }
  }
  return {
    rpcUrl,
    chainId,
    request,
    async mine(count) {
      for (let block = 0; block < count; block += 1) await request('evm_mine');
    },
    stop: () => stopChild(child),
  };
}

/** Whether the tests run on anvil instead of Hardhat's chain. */
export const usesAnvil = (process.env['ANVIL_BIN'] ?? '') !== '';

function chainCommand(port: number, chainId: number, start: Date | undefined): [string, ...string[]] {
  const anvil = process.env['ANVIL_BIN'] ?? '';
  if (anvil !== '') {
    const time = start === undefined ? [] : ['--timestamp', String(Math.floor(start.getTime() / 1000))];
    const place = ['--host', '127.0.0.1', '--port', String(port)];
    return [anvil, '--optimism', '--chain-id', String(chainId), ...place, ...time, '--quiet'];
  }
  return [process.execPath, ...localChainArguments(root, port)];
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(late);
}
