import { hash } from 'node:crypto';

const nodePrefix = Buffer.from([1]);
const leafPrefix = Buffer.from([0]);

/** SHA-256 of the concatenation of `parts`. */
export function sha256(...parts: Uint8Array[]): Buffer {
  const only = parts.length === 1 ? parts[0] : undefined;
  return hash('sha256', only ?? Buffer.concat(parts), 'buffer');
}

/** RFC 6962 §2.1: the hash of a leaf, SHA-256(0x00 ‖ entry). */
export function hashLeaf(entry: Uint8Array): Buffer {
  return sha256(leafPrefix, entry);
}

/** RFC 6962 §2.1: the hash of an inner node, SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(nodePrefix, left, right);
}

/** RFC 6962 §2.1: the hash of the empty tree, SHA-256(""). */
export const emptyRoot: Buffer = sha256(Buffer.alloc(0));
