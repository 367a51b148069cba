import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

/** What `<data-dir>/stack.json` says about a running stack, for programs. Written when everything is ready. */
export interface StackFile extends Deployment {
  version: 1;
  relayUrl: string;
  sidecarUrl: string;
  rpcUrl: string;
  /** The demo wallet; its private key is in the file, which only the owner can read. */
  wallet: { address: Hex; keyFile: string };
  operatorTokenFile: string;
  blocksDir: string;
  dataDir: string;
  /** Process ids by part; `start` is the process that the others belong to. */
  pids: Record<string, number>;
  /** Whether the chain lives in memory, so that the folder is worth nothing once the stack has stopped. */
  ephemeral: boolean;
}

/** The path of the stack file in a data folder. */
export function stackFilePath(dataDir: string): string {
  return join(dataDir, 'stack.json');
}

/** Writes the stack file, readable by its owner only. */
export async function writeStackFile(stack: StackFile): Promise<void> {
  await writeFile(stackFilePath(stack.dataDir), `${JSON.stringify(stack, null, 2)}\n`, { mode: 0o600 });
}
