import type { CheckedClaim } from '../fsck/verification.ts';
import { formatTable } from './output.ts';

/** Claims as lines for a terminal: each holds, FAILS, or was not checked. */
export function formatClaims(claims: readonly CheckedClaim[]): string {
  return formatTable(claims.map(({ name, ok, detail }) => [verdictOf(ok), name, detail.replace(/^not checked: /, '')]));
}

function verdictOf(ok: boolean | null): string {
  if (ok === null) return 'not checked';
  return ok ? 'holds' : 'FAILS';
}
