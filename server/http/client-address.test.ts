import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { clientAddressOf } from './client-address.ts';

const from = (forwarded?: string) =>
  ({
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    socket: { remoteAddress: '192.0.2.9' },
  }) as unknown as IncomingMessage;

test('X-Forwarded-For is not believed unless a proxy is trusted', () => {
  expect(clientAddressOf(from('198.51.100.1'), 0)).toBe('192.0.2.9');
});

test('what the trusted proxies wrote counts, not what the client wrote before it', () => {
  expect(clientAddressOf(from('203.0.113.7, 198.51.100.1'), 1)).toBe('198.51.100.1');
  expect(clientAddressOf(from('203.0.113.7, 198.51.100.1, 10.0.0.2'), 2)).toBe('198.51.100.1');
  expect(clientAddressOf(from('2001:db8::1'), 1)).toBe('2001:db8::1');
});

test('where a trusted proxy wrote nothing, the connection counts', () => {
  expect(clientAddressOf(from(), 1)).toBe('192.0.2.9');
  expect(clientAddressOf(from('203.0.113.7'), 2)).toBe('192.0.2.9');
  expect(clientAddressOf(from('unknown'), 1)).toBe('192.0.2.9');
});
