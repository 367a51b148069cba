import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEvidenceFolder, type ForkEvidence } from './keep-evidence.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'autopay-evidence-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const evidenceOf = (offered: string): ForkEvidence => ({
  ...{ kind: 'fork', origin: 'example.com/log', verifierKey: 'key', seen: 'seen\n\nline\n', statement: 'two roots' },
  offered: `${offered}\n\nline\n`,
});

test('evidence is written once, whatever signs it anew, and again where a crash left half of it', () => {
  const kept = createEvidenceFolder(folder);
  const file = kept.keep(evidenceOf('one')) ?? '';
  const whole = readFileSync(file, 'utf8');
  expect(JSON.parse(whole)).toEqual({ version: 1, ...evidenceOf('one') });
  expect(kept.keep({ ...evidenceOf('one'), offered: 'one\n\nanother line\n' })).toBeUndefined();
  for (const half of ['', whole.slice(0, -20)]) {
    writeFileSync(file, half);
    expect(kept.keep(evidenceOf('one'))).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe(whole);
  }
});

test('a log that makes much of it does not fill the disk', () => {
  const kept = createEvidenceFolder(folder);
  for (let number = 0; number < 200; number += 1) writeFileSync(join(folder, `fork-${number}.json`), '{}');
  expect(kept.keep(evidenceOf('one'))).toBeUndefined();
  expect(readdirSync(folder)).toHaveLength(200);
});
