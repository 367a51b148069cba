import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CID } from 'multiformats/cid';
import { readSettings } from '../../fsck/read-settings.ts';
import { verifyCall, type CallVerification } from '../../fsck/verify-call.ts';
import type { StackFile } from '../stack.ts';
import type { PaidCall } from './make-calls.ts';

/** Moves the relay's database out of its folder; the names of the files that went. */
export async function moveDatabaseAway(dataDir: string, target: string): Promise<string[]> {
  await mkdir(target, { recursive: true });
  const files = (await readdir(dataDir)).filter((name) => name.startsWith('ledger.sqlite'));
  if (files.length === 0) throw new Error(`there is no ledger.sqlite in ${dataDir}`);
  for (const name of files) await rename(join(dataDir, name), join(target, name));
  return files;
}

/** Makes sure that nobody answers where the relay was. */
export async function requireSilence(relayUrl: string): Promise<void> {
  const answer = await fetch(`${relayUrl}/healthz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  if (answer) throw new Error(`something still answers at ${relayUrl}`);
}

/**
 * Verifies that a call stands in the anchored log and what it cost, from the chain, a folder of blocks, the payer's own receipt
 * and the price list.
 *
 * @throws Error naming each claim that does not hold
 */
export async function verifyFromOutside(
  stack: StackFile,
  call: PaidCall,
): Promise<CallVerification & Required<Pick<CallVerification, 'call'>>> {
  const found = await verifyCall({
    callId: call.receipt.callId,
    signedReceipt: call.signed,
    rpcUrl: stack.rpcUrl,
    chainId: stack.chainId,
    contracts: stack.contracts,
    priceTables: [(await readSettings(stack.dataDir)).rows],
    deployedAtBlock: stack.deployedAtBlock,
    blockSource: { get: (cid: CID) => readFile(join(stack.blocksDir, cid.toString())) },
  });
  const failed = found.claims.filter((claim) => claim.ok === false);
  if (failed.length > 0) throw new Error(failed.map((claim) => `${claim.name}: ${claim.detail}`).join('; '));
  if (!found.ok || found.call === undefined) throw new Error('the call was not found in the log');
  return { ...found, call: found.call };
}
