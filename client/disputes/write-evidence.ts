import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileDurably } from '../create-file-durably.ts';
import type { Finding } from './held-receipt.ts';

/** The folder of evidence files in a wallet's state folder. */
export const evidenceFolder = 'evidence';

/** Where a finding's evidence is. */
export interface WrittenEvidence {
  file: string;
  /** Not there before: the owner has not been told of it yet. */
  isNew: boolean;
}

/**
 * Writes the evidence file of a finding into `<stateDir>/evidence/` (0700), readable by its owner only (0600), whole or not at
 * all. Its name says what it is about, and ends with a digest of its content: the same evidence is one file.
 */
export async function writeEvidence(stateDir: string, finding: Finding): Promise<WrittenEvidence> {
  const { evidence, callId, channelId } = finding;
  const text = serializeEvidence(evidence);
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8);
  const folder = join(stateDir, evidenceFolder);
  const file = join(folder, `${evidence.kind}-${callId ?? channelId.slice(0, 18)}-${digest}.json`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { file, isNew: await createFileDurably(file, text) };
}

/** Evidence as its file has it (docs/PROTOCOL.md, "Evidence files"). */
function serializeEvidence(evidence: Finding['evidence']): string {
  const toText = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value);
  return `${JSON.stringify(evidence, toText, 2)}\n`;
}
