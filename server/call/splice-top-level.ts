import type { TopLevelMember } from './scan-top-level.ts';

/** Changes by key: JSON text that replaces (or adds) the member's value, or null to take the member out. */
export type TopLevelChanges = ReadonlyMap<string, string | null>;

const open = Buffer.from('{');
const separator = Buffer.from(',');
const close = Buffer.from('}');

/**
 * Changes members of a JSON text's outermost object. All other members keep their exact bytes and order; only white
 * space between members may go. Without changes the same bytes come back.
 * @param members what scanTopLevel found in `text`.
 */
export function spliceTopLevel(text: Buffer, members: readonly TopLevelMember[], changes: TopLevelChanges): Buffer {
  if (changes.size === 0) return text;
  const pieces: Buffer[] = [];
  const present = new Set<string>();
  for (const { key, keyStart, valueStart, valueEnd } of members) {
    const change = changes.get(key);
    present.add(key);
    if (change === null) continue;
    pieces.push(pieces.length === 0 ? open : separator);
    if (change === undefined) pieces.push(text.subarray(keyStart, valueEnd));
    else pieces.push(text.subarray(keyStart, valueStart), Buffer.from(change));
  }
  for (const [key, value] of changes) {
    if (value === null || present.has(key)) continue;
    pieces.push(pieces.length === 0 ? open : separator, Buffer.from(`${JSON.stringify(key)}:${value}`));
  }
  if (pieces.length === 0) pieces.push(open);
  pieces.push(close);
  return Buffer.concat(pieces);
}
