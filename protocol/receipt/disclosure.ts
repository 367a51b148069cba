import { z } from 'zod';
import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { parseJson } from '../text/parse-json.ts';
import { addressSchema, bytes32Schema } from '../payments/value-schemas.ts';
import { commit, type CommitmentSubject } from './commitments.ts';
import { decodeReceipt } from './decode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt, type SignedReceipt } from './signed-receipt.ts';

/*
 * A disclosure opens what a receipt commits to, to whom its payer likes: docs/PROTOCOL.md, "Disclosures".
 */

/** Standard base64 with padding, so that bytes are written in one way. */
const base64Schema = z
  .string()
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'it is no base64');

const partSchema = z.strictObject({ salt: bytes32Schema, bytes: base64Schema });

const disclosureSchema = z.strictObject({
  kind: z.literal('autopay-disclosure'),
  version: z.literal(1),
  chainId: z.number().int().positive(),
  autoPayLLM: addressSchema,
  /** Base64 SignedReceipt whose salts are zero. */
  receipt: base64Schema,
  request: partSchema.optional(),
  response: partSchema.optional(),
});

/** A part of a call that was opened: the bytes, and the salt without which nobody can tell that they are the ones. */
export interface OpenedPart {
  salt: Uint8Array;
  bytes: Uint8Array;
}

/** What is shown to a third party. */
export interface Disclosure {
  chainId: number;
  /** The relay's contract, which the receipt is signed for. */
  autoPayLLM: Hex;
  /** Without salts. */
  signed: SignedReceipt;
  /** What is opened; the other part stays closed. */
  parts: Partial<Record<CommitmentSubject, OpenedPart>>;
}

const subjects = ['request', 'response'] as const;
const zeroSalt = Buffer.alloc(32);

/** The longest disclosure that is read, bytes: two bodies of 32 MiB in base64, and the receipt. */
export const maxDisclosureBytes = 100_000_000;

/**
 * Opens parts of a call.
 * @param options.signed with its salts
 * @param options.bytes the exact bytes of each part that is to be opened
 * @throws AutoPayError `verification_failed` if they are not the bytes that the receipt commits to
 */
export function createDisclosure(options: {
  chainId: number;
  autoPayLLM: Hex;
  signed: SignedReceipt;
  bytes: Partial<Record<CommitmentSubject, Uint8Array>>;
}): Disclosure {
  const { chainId, autoPayLLM, signed, bytes } = options;
  const salts = { request: signed.requestSalt, response: signed.responseSalt };
  const parts: Disclosure['parts'] = {};
  for (const subject of subjects) {
    const own = bytes[subject];
    if (own) parts[subject] = { salt: salts[subject], bytes: own };
  }
  const disclosure = {
    chainId,
    autoPayLLM,
    signed: { ...signed, requestSalt: zeroSalt, responseSalt: zeroSalt },
    parts,
  };
  for (const subject of subjects) {
    if (parts[subject] === undefined || opens(disclosure, subject)) continue;
    throw new AutoPayError(
      'verification_failed',
      `These are not the bytes of the ${subject} that the receipt commits to. Give them exactly as they went over the wire.`,
    );
  }
  return disclosure;
}

/** Whether an opened part is what the receipt commits to; false if it is not opened. */
export function opens({ signed, parts }: Disclosure, subject: CommitmentSubject): boolean {
  const part = parts[subject];
  if (part === undefined) return false;
  const receipt = decodeReceipt(signed.entry);
  const commitment = subject === 'request' ? receipt.requestCommitment : receipt.responseCommitment;
  return toHex(commit({ subject, salt: part.salt, bytes: part.bytes })) === commitment;
}

/** The text of a disclosure, JSON. */
export function formatDisclosure({ chainId, autoPayLLM, signed, parts }: Disclosure): string {
  const opened = Object.fromEntries(
    subjects.flatMap((subject) => {
      const part = parts[subject];
      return part ? [[subject, { salt: toHex(part.salt), bytes: Buffer.from(part.bytes).toString('base64') }]] : [];
    }),
  );
  const value = {
    kind: 'autopay-disclosure',
    version: 1,
    chainId,
    autoPayLLM,
    receipt: encodeSignedReceipt(signed),
    ...opened,
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/**
 * Reads the text of a disclosure; what it claims is not checked.
 * @throws AutoPayError `invalid_encoding`
 */
export function parseDisclosure(text: string): Disclosure {
  const parsed = disclosureSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    const reason = z.prettifyError(parsed.error);
    throw new AutoPayError('invalid_encoding', `This is not a disclosure (docs/PROTOCOL.md, "Disclosures"): ${reason}`);
  }
  const { chainId, autoPayLLM, receipt, request, response } = parsed.data;
  const parts: Disclosure['parts'] = {
    ...(request && { request: openPart(request) }),
    ...(response && { response: openPart(response) }),
  };
  const signed = decodeSignedReceipt(receipt);
  if (![signed.requestSalt, signed.responseSalt].every((salt) => zeroSalt.equals(salt))) {
    const message =
      'The receipt of a disclosure has no salts: each stands with the part that it opens (docs/PROTOCOL.md, "Disclosures").';
    throw new AutoPayError('invalid_encoding', message);
  }
  return { chainId, autoPayLLM, signed, parts };
}

function openPart({ salt, bytes }: z.output<typeof partSchema>): OpenedPart {
  return { salt: fromHex(salt, 32), bytes: Buffer.from(bytes, 'base64') };
}
