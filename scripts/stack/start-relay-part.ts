import { join } from 'node:path';
import { spawnPart, type Part } from './spawn-part.ts';

/** Starts the relay on a data folder, in a process of its own, by the entry that production uses. */
export function startRelayPart(options: {
  root: string;
  dataDir: string;
  logsDir: string;
  /** 0 picks a free one. */
  port: number;
  env: Readonly<Record<string, string>>;
}): Promise<Part<{ url: string; address: string }>> {
  const { root, dataDir } = options;
  return spawnPart({
    name: 'relay',
    args: [join(root, 'server/main.ts'), '--data-dir', dataDir, '--port', String(options.port)],
    cwd: root,
    env: options.env,
    logsDir: options.logsDir,
    readReady: readRelayLine,
    readyTimeoutMs: 30_000,
  });
}

/** Reads the line {"listening": URL, "relay": ADDRESS}. */
function readRelayLine(line: string): { url: string; address: string } | undefined {
  if (!line.startsWith('{"listening"')) return undefined;
  const { listening, relay } = JSON.parse(line) as { listening: string; relay: string };
  return { url: listening, address: relay };
}
