import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RotatingLog } from './rotating-log.ts';

test('keeps at most two files of the given size, and the newest text', () => {
  const folder = mkdtempSync(join(tmpdir(), 'autopay-log-'));
  try {
    const file = join(folder, 'part.log');
    const log = new RotatingLog(file, 20);
    for (const line of ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'])
      log.write(Buffer.from(`${line}\n`));
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('five\nsix\nseven\n');
    expect(readFileSync(file, 'utf8')).toBe('eight\n');
    expect(log.lastLines(2)).toBe('seven\neight');
    const reopened = new RotatingLog(file, 20);
    reopened.write(Buffer.from('a longer line\n'));
    expect(readFileSync(file, 'utf8')).toBe('eight\na longer line\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
