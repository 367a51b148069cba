import { readFile, stat } from 'node:fs/promises';
import { checkDisclosure, type DisclosureVerdict } from '../../fsck/check-disclosure.ts';
import type { CheckedClaim } from '../../fsck/verification.ts';
import { verifyCall } from '../../fsck/verify-call.ts';
import { isHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { maxDisclosureBytes, parseDisclosure, type Disclosure } from '../../protocol/receipt/disclosure.ts';
import { findAuditPlace, openBlocks, type AuditPlace, type AuditSourceOptions } from '../audit-place.ts';
import type { CommandContext } from '../command-context.ts';
import { formatClaims } from '../format-claims.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';

/** What `autopay audit check` was given. */
export interface AuditCheckOptions extends AuditSourceOptions {
  /** The disclosure. */
  file: string;
  /** Without a chain: the address that is known to be the relay's. */
  signer?: string;
}

/** What the log says beside the disclosure: what the disclosure's own check says already is left out. */
const logClaims = ['anchored', 'blocks_content_addressed', 'included', 'included_by_contract', 'receipt_logged'];

/**
 * Checks what somebody opened of a call: signature, the relay's key on the chain, and that the bytes are those that the receipt commits
 * to; with a source of blocks also that the call stands in the anchored log. False if that is not shown.
 */
export async function runAuditCheck(context: CommandContext, options: AuditCheckOptions): Promise<boolean> {
  const { signer } = options;
  if (signer !== undefined && !isHex(signer, 20)) {
    throw new AutoPayError('invalid_argument', '--signer takes an address, such as 0x63d7….');
  }
  const disclosure = parseDisclosure(await readText(options.file));
  const place = await findPlace(context, options);
  const verdict = await checkDisclosure(disclosure, {
    ...(place && { deployment: place.deployment }),
    ...(signer !== undefined && { signer }),
  });
  const logged = place && (await checkLogged({ disclosure, verdict, place, options }));
  const claims = [...verdict.claims, ...(logged?.claims ?? [])];
  const ok = verdict.ok && logged?.ok !== false;
  context.print({
    json: { ok, claims, receipt: verdict.receipt, signer: verdict.signer, ...partsOf(disclosure) },
    text: describe({ ok, claims, verdict, disclosure }),
  });
  return ok;
}

/** The chain of --rpc, or of the stack if there is one; none if a signer was named instead. */
async function findPlace(context: CommandContext, options: AuditCheckOptions): Promise<AuditPlace | undefined> {
  if (options.rpc === undefined && options.signer !== undefined) return undefined;
  try {
    return await findAuditPlace(context, options);
  } catch (error) {
    if (error instanceof AutoPayError && error.code === 'stack_not_found' && options.rpc === undefined)
      return undefined;
    throw error;
  }
}

async function checkLogged(parts: {
  disclosure: Disclosure;
  verdict: DisclosureVerdict;
  place: AuditPlace;
  options: AuditCheckOptions;
}): Promise<{ ok: boolean; claims: CheckedClaim[] } | undefined> {
  const { disclosure, verdict, place, options } = parts;
  const isAsked = options.blocks !== undefined || options.ipfs !== undefined || options.car !== undefined;
  if (!isAsked || verdict.receipt === undefined) return undefined;
  const blocks = await openBlocks(options, place);
  const verifying = verifyCall({
    ...place.deployment,
    callId: verdict.receipt.callId,
    signedReceipt: disclosure.signed,
    blockSource: blocks.source,
  });
  const { claims } = await showProgress('Reading chain and blocks', verifying).finally(blocks.close);
  return judgeLogged(claims);
}

/** Whether the call stands in the log: what was not come to, because the entry is no receipt, is as little shown as what fails. */
export function judgeLogged(claims: readonly CheckedClaim[]): { ok: boolean; claims: CheckedClaim[] } {
  const own = claims.filter(({ name, ok }) => logClaims.includes(name) || (name === 'codec' && ok !== true));
  const holds = (name: string) => own.some((claim) => claim.name === name && claim.ok === true);
  return { ok: logClaims.every(holds), claims: own };
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size <= maxDisclosureBytes) return await readFile(file, 'utf8');
  } catch (cause) {
    throw new AutoPayError('invalid_argument', `${file} cannot be read.`, { cause });
  }
  throw new AutoPayError(
    'invalid_argument',
    `${file} is longer than ${maxDisclosureBytes} bytes, and so no disclosure.`,
  );
}

function partsOf({ parts }: Disclosure): Partial<Record<'request' | 'response', string>> {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return {
    ...(parts.request && { request: base64(parts.request.bytes) }),
    ...(parts.response && { response: base64(parts.response.bytes) }),
  };
}

function describe(parts: {
  ok: boolean;
  claims: CheckedClaim[];
  verdict: DisclosureVerdict;
  disclosure: Disclosure;
}): string {
  const { ok, claims, verdict, disclosure } = parts;
  let text = formatClaims(claims);
  if (verdict.receipt) {
    const { callId, modelAsked, modelServed, provider, admittedAtMs } = verdict.receipt;
    text += `\n${formatTable([
      ['call', callId],
      ['admitted', new Date(admittedAtMs).toISOString()],
      ['model', `${modelAsked}, served by ${provider} as ${modelServed}`],
    ])}`;
  }
  // What was not shown to be of the call is not shown at all.
  for (const subject of ok ? (['request', 'response'] as const) : []) {
    const part = disclosure.parts[subject];
    if (part) text += `\n${subject}, ${part.bytes.length} bytes:\n${Buffer.from(part.bytes).toString('utf8')}\n`;
  }
  return `${text}\n${ok ? 'The disclosure holds: these are the bytes of that call.' : 'The disclosure could NOT be verified.'}\n`;
}
