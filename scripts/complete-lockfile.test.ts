import { expect, test } from 'vitest';
import { completeLockFile, type LockFile } from './complete-lockfile.ts';

const lockWith = (optionalDependencies: Record<string, string>): LockFile => ({
  packages: {
    '': {},
    'node_modules/@scope/native': { version: '1.2.3', optionalDependencies },
    'node_modules/@scope/native-linux-x64-gnu': { version: '1.2.3', os: ['linux'], cpu: ['x64'], optional: true },
  },
});

test('adds the packages of other platforms, with their limits', () => {
  const lock = lockWith({
    '@scope/native-linux-x64-gnu': '1.2.3',
    '@scope/native-linux-arm64-musl': '1.2.3',
    '@scope/native-darwin-arm64': '1.2.3',
  });
  expect(completeLockFile(lock)).toEqual(['@scope/native-linux-arm64-musl', '@scope/native-darwin-arm64']);
  expect(lock.packages['node_modules/@scope/native-darwin-arm64']).toEqual({
    version: '1.2.3',
    cpu: ['arm64'],
    optional: true,
    os: ['darwin'],
  });
  expect(lock.packages['node_modules/@scope/native-linux-arm64-musl']).toMatchObject({ libc: ['musl'], os: ['linux'] });
  expect(Object.keys(lock.packages)[0]).toBe('');
  expect(completeLockFile(lock)).toEqual([]);
});

test('finds a package beside its parent too', () => {
  const lock = lockWith({ '@scope/native-darwin-x64': '1.2.3' });
  lock.packages['node_modules/@scope/native/node_modules/@scope/native-darwin-x64'] = { version: '1.2.3' };
  expect(completeLockFile(lock)).toEqual([]);
});

test('does not guess what is no platform’s package, or not pinned', () => {
  expect(() => completeLockFile(lockWith({ 'left-pad': '1.0.0' }))).toThrow('run npm install again');
  expect(() => completeLockFile(lockWith({ '@scope/native-darwin-x64': '^1.2.3' }))).toThrow('run npm install again');
});
