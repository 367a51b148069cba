import type { CommandContext } from '../command-context.ts';

/** Makes this process the relay of the data folder, until SIGTERM or SIGINT. It logs JSON lines to stderr. */
export async function runRelay(
  context: CommandContext,
  options: { configFile?: string; port?: number },
): Promise<void> {
  const { restartTuned } = await import('../../server/restart-tuned.ts');
  restartTuned(context.dataDir);
  const { runRelayProcess } = await import('../../server/run-relay-process.ts');
  await runRelayProcess({ dataDir: context.dataDir, ...options });
}
