import { afterAll, beforeAll, expect, test } from 'vitest';
import { chargeCall } from '../../test/support/charge-calls.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { openTestRelay } from '../../test/support/open-test-relay.ts';
import { checkAnchored } from './check-anchored.ts';
import { runAnchoring } from './run-anchoring.ts';

let stack: ChainStack;
beforeAll(async () => {
  stack = await deployStack();
});
afterAll(() => stack?.stop());

test('a data folder that was put back to before an anchor is refused', async () => {
  const { auditLog, usdc: token } = stack.contracts;
  const relay = await openTestRelay(stack);
  try {
    await chargeCall({ ledger: relay.ledger, channel: null, amount: 0n, token });
    await runAnchoring(relay.deps());
    await relay.tree.update();
    const { client, tree } = relay;
    await expect(checkAnchored({ client, auditLog, tree })).resolves.toBeUndefined();
    const older = { size: () => 0 };
    await expect(checkAnchored({ client, auditLog, tree: older })).rejects.toMatchObject({
      code: 'log_rolled_back',
      facts: { size: 0, signed: 1 },
    });
  } finally {
    await relay.close();
  }
});
