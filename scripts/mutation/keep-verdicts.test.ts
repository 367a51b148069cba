import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openVerdicts } from './keep-verdicts.ts';

const mutant = { operator: '', line: 1, text: '', start: 0, end: 1, original: '', replacement: '' };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'autopay-verdicts-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('keeps what was found, but asks about survivors anew', () => {
  const file = join(folder, 'verdicts.jsonl');
  const first = openVerdicts(file);
  first.add('A.sol', { ...mutant, id: '1' }, { outcome: 'killed', by: 'Test.test_A(): 1' });
  first.add('A.sol', { ...mutant, id: '2' }, { outcome: 'survived' });
  first.add('A.sol', { ...mutant, id: '3' }, { outcome: 'invalid' });
  const second = openVerdicts(file);
  expect(second.find('A.sol', { ...mutant, id: '1' })).toEqual({ outcome: 'killed', by: 'Test.test_A(): 1' });
  expect(second.find('A.sol', { ...mutant, id: '2' })).toBeUndefined();
  expect(second.find('A.sol', { ...mutant, id: '3' })).toEqual({ outcome: 'invalid' });
  expect(second.find('B.sol', { ...mutant, id: '1' })).toBeUndefined();
});

it('takes the last verdict, and keeps none without a file', () => {
  const file = join(folder, 'again.jsonl');
  const verdicts = openVerdicts(file);
  verdicts.add('A.sol', { ...mutant, id: '1' }, { outcome: 'survived' });
  verdicts.add('A.sol', { ...mutant, id: '1' }, { outcome: 'killed' });
  expect(openVerdicts(file).find('A.sol', { ...mutant, id: '1' })).toEqual({ outcome: 'killed' });
  const none = openVerdicts(undefined);
  none.add('A.sol', { ...mutant, id: '1' }, { outcome: 'killed' });
  expect(none.find('A.sol', { ...mutant, id: '1' })).toBeUndefined();
});
