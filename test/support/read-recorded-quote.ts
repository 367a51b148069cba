import { readFileSync } from 'node:fs';
import { collateralSchema, type Collateral } from '../../protocol/evidence/evidence-document.ts';

/** A real machine's quote with Intel's collateral of its time (test/fixtures/quotes/README.md). */
export interface RecordedQuote {
  quote: Buffer;
  collateral: Collateral;
  /** Within the time in which all of the collateral was good, Unix milliseconds. */
  goodAtMs: number;
}

/** Reads one of the recorded quotes. */
export function readRecordedQuote(kind: 'sgx' | 'tdx'): RecordedQuote {
  const read = (name: string) => readFileSync(new URL(`../fixtures/quotes/${kind}.${name}`, import.meta.url), 'utf8');
  return {
    quote: Buffer.from(read('quote.b64'), 'base64'),
    collateral: collateralSchema.parse(JSON.parse(read('collateral.json'))),
    goodAtMs: Date.UTC(2025, 6, 1),
  };
}
