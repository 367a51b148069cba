import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { startStack } from '../../scripts/stack.ts';
import { findFreePort } from '../../scripts/stack/find-port.ts';
import { startChain } from '../support/start-chain.ts';
import { chatBody } from '../support/raw-payer.ts';

it('on a chain outside, contracts, channel and books outlive the stack', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-persistent-'));
  const dataDir = join(folder, 'data');
  const chain = await startChain();
  // The wallet knows its channels by the relay's address, so both starts have the same one.
  const port = await findFreePort();

  /** Starts the stack on the same folder and chain, makes one paid call, stops it. */
  async function callOnce() {
    const running = await startStack({ dataDir, port, rpcUrl: chain.rpcUrl });
    try {
      const response = await fetch(`${running.stack.sidecarUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: chatBody(),
      });
      expect(response.status, await response.clone().text()).toBe(200);
      const receipt = decodeReceipt(decodeSignedReceipt(response.headers.get('x-autopay-receipt') ?? '').entry);
      return { receipt, contracts: running.stack.contracts, wallet: running.stack.wallet.address };
    } finally {
      await running.stop();
    }
  }

  try {
    const first = await callOnce();
    const ledger = await readFile(join(dataDir, 'ledger.sqlite'));
    expect(ledger.length).toBeGreaterThan(0);
    const second = await callOnce();
    expect({ ...second, receipt: null }).toEqual({ ...first, receipt: null });
    expect(second.receipt.channelId).toBe(first.receipt.channelId);
    expect(second.receipt.sequence).toBe(2);
    expect(second.receipt.runningTotal).toBe(first.receipt.amount + second.receipt.amount);
  } finally {
    await chain.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
