import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { openBodyStore } from '../../client/audit/body-store.ts';
import { openReceiptStore, type StoredReceipt } from '../../client/receipt-store.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import {
  evidenceDocumentSchema,
  parseEvidence,
  type EvidenceDocument,
} from '../../protocol/evidence/evidence-document.ts';
import { judgeEvidence, type EvidenceTerms, type EvidenceVerdict } from '../../protocol/evidence/judge-evidence.ts';
import { providerKeyPattern, type ProviderKey } from '../../protocol/evidence/provider-signature.ts';
import { measurementNames, type Measurements } from '../../protocol/evidence/verify-quote.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { openAuditSession } from '../audit-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';

/** What `autopay audit evidence` was given. */
export interface AuditEvidenceOptions {
  /** A call id, or `last` for the call whose receipt this wallet got last. */
  callId: string;
  /** A document that was saved; without it the relay is asked. */
  file?: string;
  /** Keys of providers that the caller trusts. */
  key?: readonly string[];
  /** Each `mrTd=…,rtMr3=…`. */
  measurement?: readonly string[];
  /** States of platforms that are good enough. */
  tcb?: readonly string[];
  /** A root certificate instead of Intel's, PEM. */
  rootCa?: string;
}

/** Where bodies are kept; how long is whoever keeps them to say. */
const anyBounds = { days: 3_650, mebibytes: 1_048_576 };

/**
 * Checks what supports an answer beside the relay's signature, by keys and measurements of the caller's own. False if a check fails.
 * @throws AutoPayError `invalid_argument`, `not_found` where the call has no evidence
 */
export async function runAuditEvidence(context: CommandContext, options: AuditEvidenceOptions): Promise<boolean> {
  const stack = await context.stack();
  const stateDir = join(stack.dataDir, 'client');
  const receipts = openReceiptStore(stateDir);
  const stored = options.callId === 'last' ? await receipts.findLast() : await receipts.find(options.callId);
  const callId = stored?.callId ?? options.callId;
  if (!isCallId(callId)) {
    const message = 'A call id is a lower-case UUIDv7: the x-autopay-call-id header, or what autopay audit list shows.';
    throw new AutoPayError('invalid_argument', message);
  }
  const document = await findDocument(callId, options, async () => {
    const session = await openAuditSession(stack);
    const path = `/v1/audit/evidence/${callId}` as const;
    return session.ask({ method: 'GET', path, schema: evidenceDocumentSchema });
  });
  const bodies = openBodyStore(stateDir, anyBounds);
  const { judged: _relays, ...facts } = document;
  const verdict = await judgeEvidence(facts, await readTerms(options), {
    receipt: stored && decodeReceipt(decodeSignedReceipt(stored.receipt).entry),
    requestBytes: await bodies.find(callId, 'request'),
    responseBytes: await bodies.find(callId, 'response'),
  });
  context.print({
    json: { callId, ...verdict, relaySays: document.judged },
    text: describe(document, verdict, stored),
  });
  return verdict.checks.every(({ result }) => result !== 'fails');
}

async function findDocument(
  callId: string,
  { file }: AuditEvidenceOptions,
  ask: () => Promise<EvidenceDocument>,
): Promise<EvidenceDocument> {
  const document = file === undefined ? await ask() : parseEvidence(await readFile(file, 'utf8'));
  if (document.callId === callId) return document;
  const [code, who] =
    file === undefined
      ? (['upstream_error', 'What the relay answered'] as const)
      : (['invalid_argument', file] as const);
  throw new AutoPayError(code, `${who} is the evidence of call ${document.callId}, not of ${callId}.`);
}

async function readTerms({ key = [], measurement = [], rootCa, tcb }: AuditEvidenceOptions): Promise<EvidenceTerms> {
  return {
    keys: key.map(readKey),
    measurements: measurement.map(readMeasurements),
    tcbStatuses: tcb,
    rootCaDer: rootCa === undefined ? undefined : new X509Certificate(await readFile(rootCa)).raw,
  };
}

function readKey(text: string): ProviderKey {
  if (providerKeyPattern.test(text)) return text.toLowerCase() as ProviderKey;
  const message =
    'A provider’s key is an address (0x and 40 hexadecimal digits), or ed25519: and 64 hexadecimal digits.';
  throw new AutoPayError('invalid_argument', message);
}

function readMeasurements(text: string): Measurements {
  const pairs = text.split(',').map((pair) => /^(\w+)=([0-9a-f]{64}|[0-9a-f]{96})$/i.exec(pair.trim()));
  const known = pairs.flatMap((pair) =>
    measurementNames.filter((name) => name === pair?.[1]).map((name) => [name, pair?.[2]]),
  );
  if (known.length === pairs.length) return Object.fromEntries(known) as Measurements;
  const message = `Measurements are NAME=HEX, joined by commas, with names of ${measurementNames.join(', ')}.`;
  throw new AutoPayError('invalid_argument', message);
}

const words = { holds: 'holds', fails: 'FAILS', unchecked: 'unchecked' } as const;

function describe(
  document: EvidenceDocument,
  { checks, tier }: EvidenceVerdict,
  stored: StoredReceipt | undefined,
): string {
  const rows = checks.map(({ detail, name, result }) => [words[result], name, detail]);
  const receipt = stored ? '' : 'This wallet has no receipt of the call, so the tier there was not compared.\n';
  return `${formatTable(rows)}${receipt}The evidence shows: ${tier}. The relay found: ${document.judged.tier}.\n`;
}
