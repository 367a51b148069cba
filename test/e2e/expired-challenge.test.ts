import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { startTestStack } from '../support/start-test-stack.ts';

it('refuses an expired challenge, offers a fresh one, and leaves the voucher unused', { timeout: 60_000 }, async () => {
  const stack = await startTestStack({ config: { payment: { challengeTtlSeconds: 1 } } });
  try {
    const { payer } = stack;
    const channelId = await payer.openChannel({ deposit: 100_000n });
    const old = await payer.challenge();
    await sleep(1_500);
    const refused = await payer.pay({ channelId, cumulativeAmount: 1_000n, challenge: old });
    expect(refused.status).toBe(402);
    expect(await refused.json()).toMatchObject({ error: { code: 'challenge_expired' } });
    const [fresh] = parseChallenges(refused.headers.get('www-authenticate') ?? '');
    if (!fresh) throw new Error('no fresh challenge');
    const paid = await payer.pay({ channelId, cumulativeAmount: 1_000n, challenge: fresh });
    expect(paid.status).toBe(200);
  } finally {
    await stack.stop();
  }
});
