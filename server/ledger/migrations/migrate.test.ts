import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { migrate, migrations } from './migrate.ts';

function versionOf(db: DatabaseSync): unknown {
  return db.prepare('PRAGMA user_version').get()?.['user_version'];
}

test('an empty file gets every migration, once', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  migrate(db);
  expect(versionOf(db)).toBe(migrations.length);
  expect(db.prepare('SELECT count(*) AS n FROM channels').get()).toEqual({ n: 0 });
});

test('an older file gets only what it lacks', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ['CREATE TABLE a (x)']);
  migrate(db, ['CREATE TABLE a (x)', 'CREATE TABLE b (x)']);
  expect(versionOf(db)).toBe(2);
});

test('a newer file is refused and left as it is', () => {
  const db = new DatabaseSync(':memory:');
  db.exec('PRAGMA user_version = 99');
  expect(() => migrate(db)).toThrow('schema version 99');
  expect(versionOf(db)).toBe(99);
});

test('a migration that fails half-way leaves nothing', () => {
  const db = new DatabaseSync(':memory:');
  expect(() => migrate(db, ['CREATE TABLE a (x); CREATE TABLE a (x)'])).toThrow('already exists');
  expect(versionOf(db)).toBe(0);
  expect(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 });
});
