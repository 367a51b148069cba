import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findFreePort } from '../stack/find-port.ts';
import type { PassThrough } from './start-pass-through.ts';

const version = '1.15.2';
const installTimeoutMs = 120_000;
const startTimeoutMs = 20_000;

/** A running gateway, and the headers with which it passes calls on. */
export interface Portkey extends PassThrough {
  headers: Record<string, string>;
}

/**
 * Fetches Portkey's gateway from npm into `folder` and starts it in a process of its own. It is no dependency of the project: only
 * this benchmark needs its 95 packages.
 *
 * @param upstream the provider's base URL, with `/v1`
 * @returns why not, as a sentence, where npm does not give it
 */
export async function startPortkey(folder: string, upstream: string): Promise<Portkey | string> {
  try {
    await promisify(execFile)(
      'npm',
      ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder].concat(
        `@portkey-ai/gateway@${version}`,
      ),
      { timeout: installTimeoutMs },
    );
  } catch (error) {
    return `npm could not install @portkey-ai/gateway ${version}: ${String(error).slice(0, 300)}`;
  }
  const port = await findFreePort();
  const preload = fileURLToPath(new URL('portkey-preload.ts', import.meta.url));
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  const child = spawn(process.execPath, ['--import', preload, script, '--headless', `--port=${port}`], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async () => {
    const exited = once(child, 'exit');
    // It keeps nothing, and does not end at SIGTERM while connections are open.
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  if (!(await answers(url))) {
    await stop();
    return `Portkey ${version} did not answer within ${startTimeoutMs / 1_000} s`;
  }
  const headers = {
    authorization: 'Bearer unused',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': upstream,
  };
  return { url, pid: child.pid ?? 0, headers, stop };
}

async function answers(url: string): Promise<boolean> {
  for (const end = Date.now() + startTimeoutMs; Date.now() < end; await sleep(100)) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response) return true;
  }
  return false;
}
