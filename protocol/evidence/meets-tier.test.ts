import { expect, test } from 'vitest';
import { evidenceTiers } from '../receipt/call-receipt.ts';
import { meetsTier } from './meets-tier.ts';

test('a tier is met by itself, and by what shows all of it; families do not stand for each other', () => {
  const met = (minimum: (typeof evidenceTiers)[number]) => evidenceTiers.filter((actual) => meetsTier(actual, minimum));
  expect(met('relay-signed')).toEqual(evidenceTiers);
  expect(met('provider-signed')).toEqual(['provider-signed', 'tee-attested']);
  expect(met('tee-attested')).toEqual(['tee-attested']);
  expect(met('commitment-checked')).toEqual(['commitment-checked', 'proof-checked']);
  expect(met('proof-checked')).toEqual(['proof-checked']);
});
