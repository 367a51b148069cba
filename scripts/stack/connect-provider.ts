import { join } from 'node:path';
import { readListeningLine, spawnPart } from './spawn-part.ts';
import type { Workplace } from './workplace.ts';
import { readConfiguredSimulator, type SoldProvider } from './write-config.ts';

/**
 * Makes sure of the provider: the one at `openAiBaseUrl`, else the simulated one, in a process of its own.
 *
 * @returns `undefined` if the folder has an autopay.yaml, which is kept; the simulated provider has then been started
 *   where that file expects it, if it does
 */
export async function connectProvider(
  place: Workplace,
  options: { openAiBaseUrl?: string | undefined },
): Promise<SoldProvider | undefined> {
  const configured = await readConfiguredSimulator(place.dataDir);
  if (configured) {
    place.log('keeping autopay.yaml as it is');
    if (configured.baseUrl !== undefined) await startSimulator(place, new URL(configured.baseUrl).port);
    return undefined;
  }
  if (options.openAiBaseUrl !== undefined) return { kind: 'openai', baseUrl: options.openAiBaseUrl };
  return { kind: 'simulated', baseUrl: `${await startSimulator(place, '0')}/v1` };
}

async function startSimulator(place: Workplace, port: string): Promise<string> {
  place.log('starting the simulated provider');
  const part = await spawnPart({
    name: 'simulator',
    args: [join(place.root, 'simulator/main.ts'), '--port', port],
    cwd: place.root,
    logsDir: place.logsDir,
    readReady: readListeningLine,
    readyTimeoutMs: 30_000,
  });
  return (await place.keep(part)).ready;
}
