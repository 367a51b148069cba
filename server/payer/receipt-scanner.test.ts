import { expect, it } from 'vitest';
import { ReceiptScanner } from './receipt-scanner.ts';

const stream = 'data: {"a":": autopay-receipt no"}\n\n: keep-alive\n\n: autopay-receipt AbC+/=\n\ndata: [DONE]\n\n';

function scan(text: string, size: number): string | null {
  const scanner = new ReceiptScanner();
  for (let at = 0; at < text.length; at += size) scanner.push(Buffer.from(text.slice(at, at + size)));
  return scanner.receipt;
}

it('a receipt is found wherever the stream is cut', () => {
  for (let size = 1; size <= stream.length; size += 1) expect(scan(stream, size), `${size}`).toBe('AbC+/=');
  expect(scan(': autopay-receipt X\n\n', 3)).toBe('X');
});

it('a stream without one, one that is cut within it, and an endless one have none', () => {
  expect(scan('data: {"a":": autopay-receipt no"}\n\n', 5)).toBeNull();
  expect(scan(stream.slice(0, stream.indexOf('AbC') + 4), 5)).toBeNull();
  expect(scan(`\n: autopay-receipt ${'x'.repeat(100_000)}`, 1_000)).toBe('');
});
