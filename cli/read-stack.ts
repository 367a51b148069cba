import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { deploymentSchema } from '../protocol/deployment/deployment-schema.ts';
import { addressSchema } from '../protocol/payments/value-schemas.ts';

/** The data folder of `npm start`, whatever the current folder is. */
export const defaultDataDir = join(import.meta.dirname, '..', '.autopay', 'local');

const stackSchema = deploymentSchema.extend({
  version: z.literal(1),
  relayUrl: z.url(),
  rpcUrl: z.url(),
  wallet: z.object({ address: addressSchema, keyFile: z.string().min(1) }),
  blocksDir: z.string().min(1),
});

/** What the commands need of a stack; paths are absolute. */
export interface Stack extends z.output<typeof stackSchema> {
  dataDir: string;
}

/**
 * Reads `stack.json` in a data folder, which a stack writes when it is ready.
 * @throws AutoPayError `stack_not_found` if there is none, `invalid_configuration` if it cannot be read.
 */
export async function readStack(dataDir: string): Promise<Stack> {
  const folder = resolve(dataDir);
  const file = join(folder, 'stack.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AutoPayError(
      'stack_not_found',
      `No stack runs on ${folder}: run npm start first, or name its folder with --data-dir.`,
      { cause },
    );
  }
  try {
    const stack = stackSchema.parse(JSON.parse(text));
    const keyFile = resolve(folder, stack.wallet.keyFile);
    return {
      ...stack,
      dataDir: folder,
      blocksDir: resolve(folder, stack.blocksDir),
      wallet: { ...stack.wallet, keyFile },
    };
  } catch (cause) {
    throw new AutoPayError('invalid_configuration', `${file} cannot be read: run npm start again.`, { cause });
  }
}
