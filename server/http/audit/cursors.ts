import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';

const version = 1;
const placeBytes = 6;
const digestBytes = 8;
const macBytes = 16;
const fieldBytes = 1 + placeBytes + digestBytes;

/** Where a list goes on, as text that only this relay can write. It stays good when the log grows, and when the relay starts anew. */
export interface Cursors {
  /** @param query what is asked for, as plain data; a cursor is good for this query only */
  write(query: object, place: number): string;
  /** @throws AutoPayError `invalid_request` for a cursor that was changed, or is of another query */
  read(query: object, cursor: string): number;
}

/** Makes cursors; relays that share the secret know each other's. */
export function createCursors(secret: string): Cursors {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'autopay audit cursor v1', 32));
  const macOf = (fields: Buffer) => createHmac('sha256', key).update(fields).digest().subarray(0, macBytes);

  return {
    write(query, place) {
      const fields = Buffer.alloc(fieldBytes);
      fields.writeUInt8(version);
      fields.writeUIntBE(place, 1, placeBytes);
      digestOf(query).copy(fields, 1 + placeBytes);
      return Buffer.concat([fields, macOf(fields)]).toString('base64url');
    },
    read(query, cursor) {
      const sealed = Buffer.from(cursor, 'base64url');
      const fields = sealed.subarray(0, fieldBytes);
      const isOurs =
        sealed.length === fieldBytes + macBytes &&
        sealed.toString('base64url') === cursor &&
        timingSafeEqual(macOf(fields), sealed.subarray(fieldBytes));
      if (!isOurs) throw refuse('This cursor was not given by this relay. Begin again without a cursor.');
      if (!digestOf(query).equals(fields.subarray(1 + placeBytes))) {
        throw refuse('This cursor is of another query. Send it with the filters and the order that it was given for.');
      }
      return fields.readUIntBE(1, placeBytes);
    },
  };
}

/** Members in the order of their names, so that the same query is the same bytes. */
function digestOf(query: object): Buffer {
  const sorted = Object.entries(query).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest().subarray(0, digestBytes);
}

function refuse(message: string): AutoPayError {
  return new AutoPayError('invalid_request', message, { param: 'cursor' });
}
