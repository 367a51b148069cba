import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { journalFolder, type RpcRequest } from './deployment-folder.ts';

interface JournalLine {
  type: string;
  futureId?: string;
  networkInteractionId?: number;
  nonce?: number;
  from?: string;
}

/**
 * Mends the journal of a deployment that was interrupted while it handed a transaction to the chain: Ignition notes that
 * before, and then refuses to go on, because it cannot know whether the transaction got there. The sender's nonce tells: as
 * long as it is not above the transaction's, that was never sent, and the note is dropped. Where it is above, the note stays,
 * and Ignition says how to look the transaction up.
 */
export async function dropUnsentTransactions(folder: string, chainId: number, request: RpcRequest): Promise<void> {
  const file = join(journalFolder(folder, chainId), 'journal.jsonl');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return;
  const lines = text.split('\n').filter((line) => line !== '');
  const entries = lines.map((line) => JSON.parse(line) as JournalLine);
  const idOf = (entry: JournalLine) => `${entry.futureId}/${entry.networkInteractionId}`;
  const sent = new Set(entries.filter((entry) => entry.type === 'TRANSACTION_SEND').map(idOf));
  const senders = new Map(
    entries.map((entry) => [entry.futureId, entry.from]).filter(([, from]) => from !== undefined) as [string, string][],
  );
  const kept: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const isOpen = entry.type === 'TRANSACTION_PREPARE_SEND' && !sent.has(idOf(entry));
    if (isOpen && !(await wasUsed(entry, senders, request))) continue;
    kept.push(lines[index] ?? '');
  }
  if (kept.length < lines.length) await writeFile(file, `\n${kept.join('\n')}\n`);
}

async function wasUsed(entry: JournalLine, senders: Map<string, string>, request: RpcRequest): Promise<boolean> {
  const from = senders.get(entry.futureId ?? '');
  if (from === undefined || entry.nonce === undefined) return true;
  return Number(await request('eth_getTransactionCount', from, 'pending')) > entry.nonce;
}
