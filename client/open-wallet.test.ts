import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import { openWallet, type WalletOptions } from './open-wallet.ts';
import { startChainDouble, type ChainDouble } from './testing/chain-double.ts';
import { startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

// Relay and node are doubles; what the contracts themselves answer is tested in test/e2e.
let double: RelayDouble;
let chain: ChainDouble;
let stateDir: string;
beforeEach(async () => {
  [double, chain] = await Promise.all([startRelayDouble(), startChainDouble()]);
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-open-'));
});
afterEach(async () => {
  await Promise.all([double.close(), chain.close(), rm(stateDir, { recursive: true, force: true })]);
});

const connect = (more: Partial<WalletOptions> = {}) =>
  openWallet({ relayUrl: double.url, rpcUrl: chain.rpcUrl, privateKey: walletKey, stateDir, ...more }).connect();

it('warns in one line, whatever others wrote: no word of theirs stands as a warning of its own, or moves the cursor', () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    openWallet({ relayUrl: double.url, privateKey: walletKey, stateDir }).warn(
      'it says "x\nautopay: all is well\u001b[2K"',
    );
  } finally {
    write.mockRestore();
  }
  expect(lines).toEqual(['autopay: it says "x\\x0aautopay: all is well\\x1b[2K"\n']);
});

describe('a wallet that asks the chain', () => {
  it('takes a relay whose words the chain confirms', async () => {
    expect((await connect()).terms.token).toMatchObject({ symbol: 'USDC', decimals: 6 });
  });

  it('refuses decimals that are not the token’s: they would raise prices in US dollars by as many digits', async () => {
    double.mischief.decimals = 18;
    await expect(connect()).rejects.toMatchObject({
      code: 'challenge_invalid',
      message: expect.stringContaining('has 18 decimals; the token itself says 6. Nothing was signed.') as string,
    });
  });

  it.each([
    ['hasRole(bytes32,address)', 'does not know it as a relay'],
    ['isValidAt(address,uint64)', 'does not have it as a key now'],
  ])('refuses a relay whose receipts would be worth nothing (%s)', async (signature, reason) => {
    chain.answers.set(signature, 0);
    await expect(connect()).rejects.toMatchObject({
      code: 'challenge_invalid',
      message: expect.stringContaining(reason) as string,
    });
  });
});

describe('contracts that the owner names', () => {
  const other: Hex = `0x${'66'.repeat(20)}`;

  it.each(['priceOracle', 'priceBook', 'keyRegistry'] as const)('are kept to: %s', async (name) => {
    const { escrow, payee, ...rest } = (await connect()).terms;
    const contracts = { paymentChannels: escrow, autoPayLLM: payee, [name]: rest[name] };
    await expect(connect({ contracts })).resolves.toBeDefined();
    const refused = connect({ contracts: { ...contracts, [name]: other } });
    await expect(refused).rejects.toMatchObject({ code: 'challenge_invalid' });
  });

  it('or that a channel in another of the relay’s tokens has', async () => {
    const seeded = await seedWallet(double);
    try {
      double.mischief.contracts = { priceOracle: other };
      double.mischief.moreTokens = [{ symbol: 'AGPT', address: `0x${'a9'.repeat(20)}`, decimals: 6 }];
      const paying = connect({ stateDir: seeded.stateDir, token: `0x${'a9'.repeat(20)}` });
      await expect(paying).rejects.toThrow('another price oracle');
    } finally {
      await seeded.remove();
    }
  });
});
