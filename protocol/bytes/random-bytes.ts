import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(8192);
let used = pool.length;

/**
 * Fresh random bytes of the system's generator, at most 1,024. They are drawn in large pieces: a draw for each call's id
 * and salts would cost it more than the rest of its receipt. No byte is given twice.
 */
export function randomBytes(lengthBytes: number): Buffer {
  if (lengthBytes > 1024) throw new RangeError('draw large secrets from node:crypto');
  if (used + lengthBytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.from(pool.subarray(used, used + lengthBytes));
  pool.fill(0, used, used + lengthBytes);
  used += lengthBytes;
  return bytes;
}
