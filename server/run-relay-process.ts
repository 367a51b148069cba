import { createLog, describeError } from './log.ts';
import { startRelay } from './start-relay.ts';

/**
 * Makes this process a relay: the one entry of `node server/main.ts` and `autopay relay`. When it is ready it prints one JSON
 * line on stdout, `{"listening":"http://127.0.0.1:PORT","relay":"0x…"}`, for which programs wait; its log goes to stderr.
 * SIGTERM or SIGINT lets the calls under way finish, and ends the process with exit code 0; a second one ends it at once with 1,
 * as does the death of a vital part. SIGHUP, or a change of its files, has the configuration read again.
 *
 * Resolves when the relay listens; from then on the process is its own.
 *
 * @param options.configFile a foreign file that the data folder's autopay.yaml is to take in, or another autopay.yaml
 * @param options.port instead of listen.port; 0 picks a free one
 * @throws AutoPayError as `startRelay`; nothing runs then
 */
export async function runRelayProcess(options: { dataDir: string; configFile?: string; port?: number }): Promise<void> {
  // Small buffers are cut from one of this many bytes, which lives as long as any of them: of 64 KiB, Node's default, streams held 6 MB that nothing else needed.
  Buffer.poolSize = 8_192;
  const log = createLog(process.env['AUTOPAY_LOG_LEVEL'] ?? 'info');
  let isChanged = false;
  let reload = () => {
    isChanged = true;
  };
  // From the start: left to Node, the signal would end a process that does not listen yet.
  process.on('SIGHUP', () => reload());
  const relay = await startRelay({ ...options, log, onFatal: () => process.exit(1) });
  reload = () => void relay.reload();
  if (isChanged) reload();
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    relay.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ error: describeError(error) }, 'the relay did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ listening: relay.url, relay: relay.address })}\n`);
}
