import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openReceiptStore } from '../../client/receipt-store.ts';
import type { CommandContext } from '../command-context.ts';
import type { Stack } from '../read-stack.ts';
import { runAuditVerify } from './audit-verify.ts';

const callId = '0197a1b2-c3d4-7000-8000-000000000001';
const address = `0x${'11'.repeat(20)}` as const;
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-audit-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

it('accuses nobody of not having signed on one chain what was paid on another', async () => {
  await openReceiptStore(join(dataDir, 'client')).append({
    ...{ callId, receivedAtMs: 1, relayUrl: 'http://127.0.0.1:1', chainId: 42_161, payee: address, model: 'sim-small' },
    ...{
      channelId: address,
      sequence: 1,
      amount: '1',
      promptTokens: 1,
      completionTokens: 1,
      problems: [],
      receipt: '',
    },
  });
  const stack = { dataDir, chainId: 8_453, rpcUrl: 'http://127.0.0.1:1', relayUrl: 'http://127.0.0.1:1' };
  const context = {
    stack: () => Promise.resolve({ ...stack, contracts: {}, tokens: {}, blocksDir: dataDir } as unknown as Stack),
    print: () => undefined,
  } as unknown as CommandContext;
  await expect(runAuditVerify(context, { callId })).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('paid on chain 42161'),
  });
});
