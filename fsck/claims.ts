import { escapeLine } from '../protocol/text/escape-text.ts';

/** One thing that was checked, against what, and how it went. */
export interface Claim {
  /** Stable, snake_case. */
  name: string;
  ok: boolean;
  /** What was compared with what; if it failed, the first differences. */
  detail: string;
}

/** How many differences a claim lists; it counts them all. */
const maxListed = 5;

/** Collects the differences that one claim finds. */
export class Differences {
  #count = 0;
  readonly #listed: string[] = [];

  /** Notes a difference. */
  add(difference: string): void {
    this.#count += 1;
    if (this.#listed.length < maxListed) this.#listed.push(difference);
  }

  /** Notes a difference unless `holds`. */
  require(holds: boolean, difference: () => string): void {
    if (!holds) this.add(difference());
  }

  /** The claim: it holds if there was no difference. */
  toClaim(name: string, whenItHolds: string): Claim {
    if (this.#count === 0) return { name, ok: true, detail: whenItHolds };
    const more = this.#count - this.#listed.length;
    return { name, ok: false, detail: `${this.#listed.join('; ')}${more > 0 ? `; and ${more} more` : ''}` };
  }
}

/** A failed claim from whatever a check threw. */
export function failedClaim(name: string, error: unknown): Claim {
  const message =
    error instanceof Error ? ((error as { shortMessage?: string }).shortMessage ?? error.message) : String(error);
  return { name, ok: false, detail: message };
}

/** A claim as a line for a terminal. Differences quote what others wrote, such as names in receipts. */
export function formatClaim({ ok, name, detail }: Claim): string {
  return `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${escapeLine(detail)}\n`;
}
