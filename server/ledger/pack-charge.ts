import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import type { ChargeRequest, ChargeResult, StoredAnswer } from './ledger.ts';

/*
 * A charge as it crosses between the threads. Of a Buffer that is a slice of Node's pool, structured clone copies the whole pool,
 * 64 KiB, and each member of an object costs it about as much as the ledger's own work on it: short bytes go as strings, long ones in
 * memory of their own, and a result leaves out what its request said.
 */

/** A charge on its way to the writer. */
export interface PackedCharge extends Omit<ChargeRequest, 'requestSalt' | 'responseSalt' | 'answer'> {
  /** Both salts, one character for each byte. */
  requestSalt: string;
  responseSalt: string;
  answer: (StoredAnswer & { body: Uint8Array<ArrayBuffer> }) | null;
}

/** A result on its way back. */
export interface PackedResult extends Omit<ChargeResult, 'receipt'> {
  /** What differs from the request's. */
  receipt: Partial<CallReceipt>;
}

/** Packs a charge. Its answer's memory is a copy, which MAY be transferred. */
export function packCharge(request: ChargeRequest): PackedCharge {
  const { answer, requestSalt, responseSalt } = request;
  return {
    ...request,
    requestSalt: toBinary(requestSalt),
    responseSalt: toBinary(responseSalt),
    answer: answer && { ...answer, body: new Uint8Array(answer.body) },
  };
}

/** What `packCharge` was given. */
export function unpackCharge(packed: PackedCharge): ChargeRequest {
  const { requestSalt, responseSalt } = packed;
  return {
    ...packed,
    requestSalt: Buffer.from(requestSalt, 'latin1'),
    responseSalt: Buffer.from(responseSalt, 'latin1'),
  };
}

/** Packs what came of a charge. */
export function packResult({ receipt: asked }: Pick<ChargeRequest, 'receipt'>, result: ChargeResult): PackedResult {
  const known: Partial<CallReceipt> = asked;
  const told = Object.entries(result.receipt).filter(([name, value]) => value !== known[name as keyof CallReceipt]);
  return { ...result, receipt: Object.fromEntries(told) };
}

/** What `packResult` was given, to whoever has the request. */
export function unpackResult({ receipt }: Pick<ChargeRequest, 'receipt'>, packed: PackedResult): ChargeResult {
  // What is left out is as it was asked for.
  return { ...packed, receipt: { ...receipt, ...packed.receipt } as CallReceipt };
}

function toBinary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
