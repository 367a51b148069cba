import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWitnessState } from './witness-state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'autopay-witness-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const checkpoint = (size: number, note = `note ${size}`) => ({ size, root: Buffer.alloc(32, size % 256), note });

test('it goes from what was cosigned last, and from nothing else', () => {
  const state = openWitnessState(folder);
  try {
    expect(state.latest('a')).toBeUndefined();
    expect(state.advance('a', { oldSize: 1, checkpoint: checkpoint(2) })).toBe(false);
    expect(state.advance('a', { oldSize: 0, checkpoint: checkpoint(2) })).toBe(true);
    expect(state.advance('a', { oldSize: 0, checkpoint: checkpoint(3) })).toBe(false);
    expect(state.advance('a', { oldSize: 2, checkpoint: checkpoint(2, 'again') })).toBe(true);
    expect(state.advance('a', { oldSize: 2, checkpoint: checkpoint(7) })).toBe(true);
    expect(state.latest('a')).toMatchObject({ size: 7, note: 'note 7' });
    expect(state.at('a', 2)?.note).toBe('again');
    expect(state.latest('b')).toBeUndefined();
  } finally {
    state.close();
  }
});

test('it remembers the newest 10,000 of a log', () => {
  const state = openWitnessState(folder);
  try {
    const db = new DatabaseSync(join(folder, 'witness.sqlite'));
    db.exec('BEGIN');
    const insert = db.prepare('INSERT INTO cosigned (origin, size, root, note) VALUES (?, ?, ?, ?)');
    for (let size = 1; size <= 10_000; size += 1) insert.run('a', size, Buffer.alloc(32), '');
    insert.run('b', 1, Buffer.alloc(32), '');
    db.exec('COMMIT');
    db.close();
    expect(state.advance('a', { oldSize: 10_000, checkpoint: checkpoint(10_001) })).toBe(true);
    expect([state.at('a', 1), state.at('a', 2)?.size, state.at('b', 1)?.size]).toEqual([undefined, 2, 1]);
  } finally {
    state.close();
  }
});

test('a file of another version is left alone', () => {
  openWitnessState(folder).close();
  const db = new DatabaseSync(join(folder, 'witness.sqlite'));
  db.exec('PRAGMA user_version = 2');
  db.close();
  expect(() => openWitnessState(folder)).toThrowError(expect.objectContaining({ code: 'invalid_configuration' }));
});
