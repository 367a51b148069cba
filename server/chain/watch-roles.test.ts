import { encodeFunctionData } from 'viem';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { deployStack, type ChainStack } from '../../test/support/deploy-stack.ts';
import { sendAs } from '../../test/support/send-as.ts';
import { createChainClient, type ChainClient } from './create-chain-client.ts';
import { createRoleWatcher, type RoleWatcher } from './watch-roles.ts';

let stack: ChainStack;
let client: ChainClient;
let said: [string, object][];
let watcher: RoleWatcher;
let snapshot: unknown;

beforeAll(async () => {
  stack = await deployStack();
  client = createChainClient({ rpcUrl: stack.chain.rpcUrl, chainId: stack.chain.chainId });
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  snapshot = await stack.chain.request('evm_snapshot', []);
  said = [];
  const say = (level: string) => (facts: object) => void said.push([level, facts]);
  const log = { info: say('info'), warn: say('warn'), error: say('error') };
  watcher = createRoleWatcher({ client, contracts: stack.contracts, relay: stack.relay, log });
});
afterEach(() => stack.chain.request('evm_revert', [snapshot]));

/** What a vote does when it is executed. */
function govern(to: Hex, data: Hex): Promise<void> {
  return sendAs(stack.chain, { from: stack.contracts.timelock, to, data });
}

type RoleCall = 'grantRole' | 'revokeRole';
const changeRole = (functionName: RoleCall, { at, role, of }: { at: Hex; role: string; of: Hex }) =>
  govern(at, encodeFunctionData({ abi: autoPayLlmAbi, functionName, args: [nameId(role), of] }));

const refusal = (): { code: string; message: string; status: number } | null => {
  try {
    watcher.require();
    return null;
  } catch (error) {
    return error as { code: string; message: string; status: number };
  }
};

describe('a role watcher', () => {
  it('lets a relay sell that has all it needs', async () => {
    expect(refusal()).toBeNull();
    await watcher.poll();
    expect(refusal()).toBeNull();
    expect(said).toEqual([]);
  });

  it.each([
    ['RELAY_ROLE', 'autoPayLLM', 'RELAY_ROLE of AutoPayLLM'],
    ['ANCHOR_ROLE', 'auditLog', 'ANCHOR_ROLE of AuditLog'],
  ] as const)('refuses while governance has taken %s away, and says so once', async (role, setting, words) => {
    const place = { at: stack.contracts[setting], role, of: stack.relay };
    await changeRole('revokeRole', place);
    await watcher.poll();
    await watcher.poll();
    expect(refusal()).toMatchObject({ code: 'relay_not_authorized', status: 503 });
    expect(refusal()?.message).toContain(`governance took away ${words}.`);
    expect(said).toEqual([['error', { relay: stack.relay, missing: [words] }]]);
    await changeRole('grantRole', place);
    await watcher.poll();
    expect(refusal()).toBeNull();
    expect(said.map(([level]) => level)).toEqual(['error', 'info']);
  });

  it('refuses while its receipts are no evidence', async () => {
    const { keyRegistry } = stack.contracts;
    await changeRole('grantRole', { at: keyRegistry, role: 'KEYS_ROLE', of: stack.contracts.timelock });
    const retire = { abi: keyRegistryAbi, functionName: 'retireKey', args: [stack.relay] } as const;
    await govern(keyRegistry, encodeFunctionData(retire));
    // A retired key signs for an hour more.
    await stack.chain.request('evm_increaseTime', [3_601]);
    await stack.chain.mine(1);
    await watcher.poll();
    expect(refusal()?.message).toContain('its receipt key in KeyRegistry');
  });

  it('warns of a suspension, and says when it is over', async () => {
    const { autoPayLLM, timelock } = stack.contracts;
    await changeRole('grantRole', { at: autoPayLLM, role: 'GUARDIAN_ROLE', of: timelock });
    const args = [stack.relay, 3_600n] as const;
    await govern(autoPayLLM, encodeFunctionData({ abi: autoPayLlmAbi, functionName: 'suspendRelay', args }));
    await watcher.poll();
    await watcher.poll();
    expect(said).toEqual([['warn', { relay: stack.relay, until: expect.stringMatching(/Z$/) }]]);
    expect(refusal()).toBeNull();
    await stack.chain.request('evm_increaseTime', [3_700]);
    await stack.chain.mine(1);
    await watcher.poll();
    expect(said.map(([level]) => level)).toEqual(['warn', 'info']);
  });
});
