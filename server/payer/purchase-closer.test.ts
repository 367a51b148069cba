import { expect, it } from 'vitest';
import { LogLines } from './payer-fixture.ts';
import { createPurchaseCloser } from './purchase-closer.ts';

it('what nobody waits for is written before the relay has stopped, and a failure is told', async () => {
  const { lines, log } = new LogLines();
  const written: number[] = [];
  const slow = Promise.withResolvers<void>();
  const ledger = {
    async closePurchase({ purchaseId }: { purchaseId: number }) {
      await slow.promise;
      if (purchaseId === 2) throw new Error('the disk is full');
      written.push(purchaseId);
      return null;
    },
  };
  const closer = createPurchaseCloser({ ledger, log });
  closer.close({ purchaseId: 1, state: 'void' }, {});
  closer.close({ purchaseId: 2, state: 'void' }, { callId: 'c' });
  closer.lose(3, { callId: 'd' });
  const idle = closer.idle();
  expect(written).toEqual([]);
  slow.resolve();
  await idle;
  expect(written).toEqual([1, 3]);
  expect(lines).toMatchObject([
    { level: 'warn', facts: { callId: 'd' } },
    { level: 'error', facts: { callId: 'c' }, message: expect.stringContaining('counts as spent') },
  ]);
});
