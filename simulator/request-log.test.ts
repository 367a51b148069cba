import { expect, test } from 'vitest';
import { createRequestLog } from './request-log.ts';

test('keeps the last requests, counts all, cuts bodies and hides secrets', () => {
  const log = createRequestLog({ keep: 2, maxBodyBytes: 4 });
  for (const text of ['one', 'two', 'three']) {
    log.add({ headers: { authorization: 'Bearer secret', 'x-other': text }, body: Buffer.from(text) });
  }
  const last = log.add({ headers: {}, body: Buffer.from('four') });
  last.outcome = 'answered';
  last.status = 200;
  expect(log.describe()).toEqual({
    count: 4,
    requests: [
      {
        sequence: 3,
        outcome: 'open',
        status: 0,
        headers: { authorization: '[redacted]', 'x-other': 'three' },
        body: 'thre',
        bodyBytes: 5,
      },
      { sequence: 4, outcome: 'answered', status: 200, headers: {}, body: 'four', bodyBytes: 4 },
    ],
  });
  log.clear();
  expect(log.describe()).toEqual({ count: 0, requests: [] });
});
