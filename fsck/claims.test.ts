import { expect, it } from 'vitest';
import { Differences, formatClaim } from './claims.ts';

it('is a line of its own, whatever it quotes', () => {
  const differences = new Differences();
  differences.add('a receipt names the model sim\x1b[1A\x1b[2K\nok    books: fine\u202e');
  expect(formatClaim(differences.toClaim('prices', ''))).toBe(
    String.raw`FAIL  prices: a receipt names the model sim\x1b[1A\x1b[2K\x0aok    books: fine\u202e` + '\n',
  );
  expect(formatClaim(new Differences().toClaim('prices', 'all are published'))).toBe(
    'ok    prices: all are published\n',
  );
});
