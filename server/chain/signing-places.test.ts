import { expect, test } from 'vitest';
import { SigningPlaces } from './signing-places.ts';

function createPlaces(most = 2) {
  let taken = 0;
  const places = new SigningPlaces({ most, waitMs: 1_000, taken: () => taken });
  const seen: string[] = [];
  const ask = (name: string) =>
    places.reserve().then(
      () => void seen.push(name),
      (error: unknown) => void seen.push(`${name}: ${(error as { code: string }).code}`),
    );
  /** What has a place is followed from now on. */
  const sign = () => {
    taken += 1;
    places.release();
  };
  const finish = () => {
    taken -= 1;
    places.admit();
  };
  return { places, seen, ask, sign, finish };
}

test('are given in order; one is free again when its transaction is in a block, or never was signed', async () => {
  const { ask, finish, places, seen, sign } = createPlaces();
  const asked = ['a', 'b', 'c', 'd'].map(ask);
  await Promise.all(asked.slice(0, 2));
  expect([seen, places.isAwaited]).toEqual([['a', 'b'], true]);
  sign();
  await Promise.resolve();
  expect(seen).toEqual(['a', 'b']);
  finish();
  await asked[2];
  expect(seen).toEqual(['a', 'b', 'c']);
  places.release();
  await asked[3];
  expect([seen, places.isAwaited]).toEqual([['a', 'b', 'c', 'd'], false]);
});

test('are waited for so long, and by so many', async () => {
  const { ask, places, seen } = createPlaces(0);
  const asked = Array.from({ length: 1_025 }, (_, at) => ask(`${at}`));
  await asked[1_024];
  expect(seen).toEqual(['1024: overloaded']);
  places.expire(Date.now());
  expect(seen).toHaveLength(1);
  places.expire(Date.now() + 2_000);
  await Promise.all(asked);
  expect(seen).toHaveLength(1_025);
  expect(new Set(seen.slice(1).map((line) => line.split(': ')[1]))).toEqual(new Set(['chain_unavailable']));
});
