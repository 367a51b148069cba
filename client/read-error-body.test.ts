import { expect, it } from 'vitest';
import { maxErrorBytes, readErrorBody } from './read-error-body.ts';

it('reads a short body, and hands every answer on as it came', async () => {
  const headers = { 'retry-after': '1' };
  for (const [length, read] of [
    [maxErrorBytes, maxErrorBytes],
    [maxErrorBytes + 1, 0],
  ] as const) {
    const answer = new Response('x'.repeat(length), { status: 402, statusText: 'Pay', headers });
    const { bytes, response } = await readErrorBody(answer);
    expect(bytes.length).toBe(read);
    expect([response.status, response.statusText, response.headers.get('retry-after')]).toEqual([402, 'Pay', '1']);
    expect((await response.text()).length).toBe(length);
  }
});
