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

test('a file of the same version with other tables is refused by name, with a remedy, and left as it is', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ['CREATE TABLE a (x); CREATE TABLE b (x); CREATE INDEX b_x ON b (x)']);
  const newer = ['CREATE TABLE a (x, y); CREATE TABLE b (x); CREATE TABLE c (x)', 'CREATE TABLE d (x)'];
  expect(() => migrate(db, newer)).toThrow(
    expect.objectContaining({
      code: 'invalid_configuration',
      message: expect.stringMatching(/\(a, b_x, c differ\).*delete or move the data folder/) as string,
    }) as Error,
  );
  expect(versionOf(db)).toBe(1);
  expect(db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('c', 'd')").get()).toEqual({ n: 0 });
});

test('layout and comments of a schema may change', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ['CREATE TABLE a (x)']);
  migrate(db, ['CREATE TABLE a (-- what it is\n  x\n)']);
  expect(versionOf(db)).toBe(1);
});

test('a migration that fails half-way leaves nothing', () => {
  const db = new DatabaseSync(':memory:');
  expect(() => migrate(db, ['CREATE TABLE a (x); CREATE TABLE a (x)'])).toThrow('already exists');
  expect(versionOf(db)).toBe(0);
  expect(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 });
});
