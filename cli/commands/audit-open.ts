import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBodyStore } from '../../client/audit/body-store.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommitmentSubject } from '../../protocol/receipt/commitments.ts';
import { createDisclosure, formatDisclosure } from '../../protocol/receipt/disclosure.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { CommandContext } from '../command-context.ts';

/** What `autopay audit open` was given. */
export interface AuditOpenOptions {
  /** A call id, or `last`. */
  callId: string;
  /** Open the request, or the response, by the bytes that the wallet kept. */
  request?: boolean;
  response?: boolean;
  /** Open it by the bytes of a file. */
  requestFile?: string;
  responseFile?: string;
  /** Where the disclosure is written to; to stdout by default. */
  output?: string;
}

/** Only reading, so no bound is looked at. */
const anyBounds = { days: 1, mebibytes: 1 };

/**
 * Opens what a receipt commits to, so that a third party can check it: `autopay audit check FILE`. The wallet and its record are all that
 * is needed.
 * @throws AutoPayError `invalid_argument` if nothing is chosen or the bytes are not at hand; `verification_failed` if they are not the ones
 */
export async function runAuditOpen(context: CommandContext, options: AuditOpenOptions): Promise<void> {
  const stateDir = join(context.dataDir, 'client');
  const stored = await requireReceipt(stateDir, options.callId);
  const bytes: Partial<Record<CommitmentSubject, Uint8Array>> = {};
  for (const subject of ['request', 'response'] as const) {
    const file = options[`${subject}File`];
    if (file === undefined && options[subject] !== true) continue;
    bytes[subject] = await readBytes({ subject, file, stateDir, callId: stored.callId });
  }
  if (Object.keys(bytes).length === 0) {
    throw new AutoPayError(
      'invalid_argument',
      'Say what to open: --request, --response, or both. The other part stays closed.',
    );
  }
  const disclosure = createDisclosure({
    ...{ chainId: stored.chainId, autoPayLLM: stored.payee as Hex, bytes },
    signed: decodeSignedReceipt(stored.receipt),
  });
  const text = formatDisclosure(disclosure);
  const { output } = options;
  if (output === undefined) return context.print({ json: JSON.parse(text), text });
  await writeFile(output, text, { mode: 0o600 });
  context.print({
    json: { callId: stored.callId, opened: Object.keys(bytes), output },
    text: `${output} opens the ${Object.keys(bytes).join(' and the ')} of call ${stored.callId}. Who has it checks it with: autopay audit check ${output}\n`,
  });
}

async function requireReceipt(stateDir: string, callId: string): Promise<StoredReceipt> {
  const store = openReceiptStore(stateDir);
  const stored = callId === 'last' ? await store.findLast() : await store.find(callId);
  if (stored) return stored;
  throw new AutoPayError(
    'invalid_argument',
    `There is no receipt of call ${callId} in ${stateDir}; only who has the receipt has the salts. Name the wallet's folder with --data-dir.`,
  );
}

async function readBytes(options: {
  subject: CommitmentSubject;
  file: string | undefined;
  stateDir: string;
  callId: string;
}): Promise<Buffer> {
  const { subject, file, stateDir, callId } = options;
  if (file !== undefined) {
    return readFile(file).catch((cause: unknown) => {
      throw new AutoPayError('invalid_argument', `${file} cannot be read.`, { cause });
    });
  }
  const kept = await openBodyStore(stateDir, anyBounds).find(callId, subject);
  if (kept) return kept;
  throw new AutoPayError(
    'invalid_argument',
    `The wallet did not keep the ${subject} of call ${callId}. Give its exact bytes with --${subject}-file FILE; later calls are kept with ` +
      'autopay sidecar --keep-bodies, or "keepBodies" in settings.json (docs/WALLET.md).',
  );
}
