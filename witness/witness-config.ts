import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

const urlSchema = z.url({ protocol: /^https?$/ });

/** A log that a witness knows by its key, or by the chain, or both; what it knows by a URL it follows. */
const logSchema = z
  .strictObject({
    /** What `/checkpoint` and `/tile/…` are added to. Without it, the log itself has to send its checkpoints. */
    url: urlSchema.optional(),
    /** The log's verifier key. Without it, the log is asked for it at `<url>/key`, and the chain has to vouch for each checkpoint. */
    key: z.string().min(1).max(1_024).optional(),
    /** JSON-RPC endpoint of the chain whose KeyRegistry has to know the receipt key that signs each checkpoint too. */
    rpcUrl: urlSchema.optional(),
  })
  .refine(({ url, key }) => url !== undefined || key !== undefined, 'needs a url or a key')
  .refine(
    ({ key, rpcUrl }) => key !== undefined || rpcUrl !== undefined,
    'needs a key, or an rpcUrl that vouches for one',
  );

const configSchema = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(4020),
  /** How often logs are looked at. */
  intervalSeconds: z.number().int().min(1).max(86_400).default(60),
  logs: z.array(logSchema).min(1).max(1_000),
});

/** What a witness does: its YAML (or JSON) file, or the same from the command line. */
export type WitnessConfig = z.infer<typeof configSchema>;

/** What the command line may say instead of the file. */
export interface WitnessFlags {
  host?: string | undefined;
  port?: number | undefined;
  intervalSeconds?: number | undefined;
  /** One log, instead of the file's. */
  log?: { url?: string | undefined; key?: string | undefined; rpcUrl?: string | undefined };
}

/**
 * Reads the configuration of a witness; flags come first.
 * @param file undefined if there is none
 * @throws AutoPayError `invalid_configuration`
 */
export async function readWitnessConfig(file: string | undefined, flags: WitnessFlags): Promise<WitnessConfig> {
  const { log, ...others } = flags;
  const given = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined));
  const logs = log === undefined ? {} : { logs: [log] };
  const parsed = configSchema.safeParse({ ...(file === undefined ? {} : await readYaml(file)), ...given, ...logs });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') || 'the configuration';
  throw new AutoPayError('invalid_configuration', `Of the witness, ${where}: ${issue?.message ?? 'not valid'}.`);
}

async function readYaml(file: string): Promise<object> {
  try {
    const value = parse(await readFile(file, 'utf8'), { maxAliasCount: 0 }) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new AutoPayError('invalid_configuration', `${file} cannot be read as YAML. Mend it.`, { cause });
  }
  throw new AutoPayError('invalid_configuration', `${file} has to name the logs of the witness.`);
}
