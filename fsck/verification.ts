import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** What a verification can say of a call or of a payer's history; the names are stable (docs/AUDIT.md, "Verification"). */
export type ClaimName =
  | 'anchored'
  | 'blocks_content_addressed'
  | 'anchors_agree'
  | 'consistent'
  | 'checkpoint_signed'
  | 'checkpoint_agrees'
  | 'codec'
  | 'included'
  | 'included_by_contract'
  | 'receipt_logged'
  | 'relay_signed'
  | 'opens_request'
  | 'opens_response'
  | 'sequence_gap_free'
  | 'total_collected'
  | 'prices_published'
  | 'price'
  | 'budget_kept'
  | 'booked';

/** One thing that was to be checked, against what, and how it went. */
export interface CheckedClaim {
  name: ClaimName;
  /** null: it could not be checked, and is neither true nor false; `detail` says why. */
  ok: boolean | null;
  /** What was compared with what. */
  detail: string;
}

/** What was found is not what was claimed: whoever made the claim is wrong, or lies. Anything else that is thrown says that it could not be checked. */
export class Refuted extends Error {}

/** Collects the claims of one verification, in the order in which they are checked. */
export class ClaimList {
  readonly all: CheckedClaim[] = [];

  /** Notes what was found. */
  add(name: ClaimName, ok: boolean | null, detail: string): void {
    this.all.push({ name, ok, detail });
  }

  /** Notes a claim that holds, or throws. @throws Refuted with `otherwise` if it does not hold. */
  demand(name: ClaimName, ok: boolean, texts: { detail: string; otherwise: string }): void {
    if (!ok) throw new Refuted(texts.otherwise);
    this.add(name, true, texts.detail);
  }

  /** Notes a claim that could not be checked. */
  leave(name: ClaimName, why: string): void {
    this.add(name, null, `not checked: ${why}`);
  }

  /** Notes what a check threw. */
  addError(name: ClaimName, error: unknown): void {
    if (isRefutation(error)) this.add(name, false, messageOf(error));
    else this.leave(name, messageOf(error));
  }

  /** Runs one check; what it throws becomes the claim's. @returns false if it threw */
  async run(name: ClaimName, check: () => Promise<void> | void): Promise<boolean> {
    try {
      await check();
      return true;
    } catch (error) {
      this.addError(name, error);
      return false;
    }
  }

  /** Whether no claim fails, and each of `mandatory` was checked. */
  isVerified(mandatory: readonly ClaimName[]): boolean {
    const holds = (name: ClaimName) => this.all.some((claim) => claim.name === name && claim.ok === true);
    return this.all.every(({ ok }) => ok !== false) && mandatory.every(holds);
  }
}

/** Codes that say that bytes or signatures are not what they have to be; all else is a source that could not be asked. */
const refutations: readonly string[] = ['verification_failed', 'invalid_encoding', 'invalid_signature'];

function isRefutation(error: unknown): boolean {
  if (error instanceof Refuted || error instanceof RangeError) return true;
  return error instanceof AutoPayError && refutations.includes(error.code);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as { shortMessage?: string }).shortMessage ?? error.message;
}
