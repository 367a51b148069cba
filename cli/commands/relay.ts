import type { CommandContext } from '../command-context.ts';

/** Runs the relay on the data folder until SIGTERM or SIGINT. It logs JSON lines to stderr. */
export async function runRelay(context: CommandContext, options: { port?: number }): Promise<void> {
  const { startRelay } = await import('../../server/start-relay.ts');
  const relay = await startRelay({ dataDir: context.dataDir, ...options, onFatal: () => process.exit(1) });
  const stopped = Promise.withResolvers<void>();
  const stop = () => {
    // A second signal means: at once.
    process.once('SIGINT', () => process.exit(1));
    process.once('SIGTERM', () => process.exit(1));
    relay.close().then(stopped.resolve, stopped.reject);
  };
  const onSignal = () => {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The line that server/main.ts prints too: programs wait for it.
  process.stdout.write(`${JSON.stringify({ listening: relay.url, relay: relay.address })}\n`);
  await stopped.promise;
}
