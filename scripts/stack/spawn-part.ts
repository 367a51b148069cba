import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RotatingLog } from './rotating-log.ts';

/** How long a part may take to end after it was asked to, before it is killed. */
const STOP_GRACE_MS = 45_000;

export interface SpawnPartOptions<Ready> {
  /** Its name in messages and of its log file. */
  name: string;
  /** Arguments for this Node. */
  args: string[];
  cwd: string;
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  logsDir: string;
  /** Looks at each line of its standard output; answers something once the part is ready. */
  readReady: (line: string) => Ready | undefined;
  readyTimeoutMs: number;
}

/** A running process of the stack. */
export interface Part<Ready> {
  name: string;
  pid: number;
  /** What it said when it was ready. */
  ready: Ready;
  /** Resolves with a sentence when it ended though nobody asked it to; never otherwise. */
  died: Promise<string>;
  isRunning(): boolean;
  /** Asks it to end and waits for that; it is killed if it does not. */
  stop(): Promise<void>;
  /** Kills it with SIGKILL, as a crash would, and waits for its end. */
  kill(): Promise<void>;
}

/**
 * Starts a process and waits until it says that it is ready. What it writes goes to `<logsDir>/<name>.log`.
 *
 * It has a process group of its own: Ctrl-C in a terminal reaches only the parent, which then stops the parts in the
 * right order (the relay still needs the chain while it drains).
 *
 * @throws Error with its last words, if it ends before, or is not ready in time
 */
export async function spawnPart<Ready>(options: SpawnPartOptions<Ready>): Promise<Part<Ready>> {
  const { name } = options;
  const log = new RotatingLog(join(options.logsDir, `${name}.log`));
  const child = spawn(process.execPath, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const killNow = (): boolean => child.kill('SIGKILL');
  process.once('exit', killNow);
  let asked = false;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${name} could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      process.off('exit', killNow);
      resolve(`${name} ended (${signal ?? `exit code ${code}`}); see ${log.file}\n${log.lastLines(8)}`);
    });
  });
  child.stdout.on('data', (chunk: Buffer) => log.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => log.write(chunk));

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    asked = true;
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(killNow, STOP_GRACE_MS);
    await ended;
    clearTimeout(timer);
  };

  const lines = createInterface({ input: child.stdout });
  let timer: NodeJS.Timeout | undefined;
  try {
    const ready = await new Promise<Ready>((resolve, reject) => {
      lines.on('line', (line) => {
        const answer = options.readReady(line);
        if (answer !== undefined) resolve(answer);
      });
      void ended.then((how) => reject(new Error(how)));
      const seconds = Math.round(options.readyTimeoutMs / 1000);
      const late = () =>
        reject(new Error(`${name} was not ready after ${seconds} s; see ${log.file}\n${log.lastLines(8)}`));
      timer = setTimeout(late, options.readyTimeoutMs);
    });
    return {
      name,
      pid: child.pid ?? 0,
      ready,
      died: new Promise((resolve) => void ended.then((how) => (asked ? undefined : resolve(how)))),
      isRunning: () => child.exitCode === null && child.signalCode === null,
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
    };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  } finally {
    clearTimeout(timer);
    lines.close();
    // Closing the line reader pauses the stream, and a full pipe would stall the process.
    child.stdout.resume();
  }
}

/** Reads the line {"listening": URL} that the relay and the simulator print when they are ready. */
export function readListeningLine(line: string): string | undefined {
  if (!line.startsWith('{"listening"')) return undefined;
  return (JSON.parse(line) as { listening: string }).listening;
}
