/**
 * Whether an `If-None-Match` header names an entity tag (RFC 9110 §13.1.2, weak comparison): then the asker has the answer.
 * @param etag with its quotes
 */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return (header.match(/(W\/)?"[^"]*"/g) ?? []).some((tag) => tag.replace(/^W\//, '') === etag);
}
