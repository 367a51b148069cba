/**
 * The life of money on the real contracts with the real USDC code, deployed by the modules that production uses:
 * open → collect, pay for a single call → book → anchor → release → withdraw.
 */
import { strict as assert } from 'node:assert';
import { concat, EventLog, getBytes, id, Result, sha256, zeroPadValue, ZeroAddress } from 'ethers';
import type { TransactionResponse } from 'ethers';
import { describe, it } from 'mocha';
import { openChannel, packClaim, type OpenedChannel } from '../support/channel-claims.ts';
import { deployInProcess, putUpBond, type DeployedSystem } from '../support/deploy-in-process.ts';

const PROVIDER = 'simulated';
const DISPUTE_WINDOW_SECONDS = 3600;

type System = DeployedSystem;

/** Decoded values as arguments for another call: what ethers decodes is frozen, and what it encodes must not be. */
function plain(value: unknown): unknown {
  return value instanceof Result ? Array.from(value, plain) : value;
}

/** The arguments of the only event of this name. */
async function onlyEvent(contract: System['auditLog'], name: string): Promise<Result> {
  const events = await contract.queryFilter(name);
  assert.equal(events.length, 1);
  const [event] = events;
  assert(event instanceof EventLog);
  return event.args;
}

/** Mints the payer USDC, and lets the desk take it by the payer's EIP-3009 authorization. */
async function payForOneCall({ ethers, usdc, paymentDesk, relay, payer }: System, value: bigint): Promise<void> {
  await usdc.getFunction('mint')(payer.address, value);
  const [token, to] = [await usdc.getAddress(), await paymentDesk.getAddress()];
  const { chainId } = await ethers.provider.getNetwork();
  const domain = { name: 'USD Coin', version: '2', chainId, verifyingContract: token };
  const types = {
    TransferWithAuthorization: [
      { name: 'from', type: 'address' },
      { name: 'to', type: 'address' },
      { name: 'value', type: 'uint256' },
      { name: 'validAfter', type: 'uint256' },
      { name: 'validBefore', type: 'uint256' },
      { name: 'nonce', type: 'bytes32' },
    ],
  };
  const terms = { value, validAfter: 0n, validBefore: 1n << 40n, nonce: id('one call') };
  const signature = await payer.signTypedData(domain, types, { from: payer.address, to, ...terms });
  const accept = paymentDesk.connect(relay).getFunction('acceptAuthorization');
  await (await accept([token, payer.address, ...Object.values(terms)], signature)).wait();
}

describe('the life of money, with real USDC', () => {
  it('goes from the payer to the provider, and every step is checked on the way', async () => {
    const system = await deployInProcess();
    const bond = await putUpBond(system);
    const { networkHelpers, usdc, paymentChannels, autoPayLLM, auditLog, relay, payer, payout } = system;
    const token = await usdc.getAddress();
    const balanceOf = async (address: string): Promise<bigint> => usdc.getFunction('balanceOf')(address);
    assert.equal(await usdc.getFunction('name')(), 'USD Coin');
    assert.equal(await usdc.getFunction('version')(), '2');

    // Open, and collect a part of what the voucher allows.
    const salt = id('life of money');
    const { channelId } = await openChannel(system, { salt, deposit: 5_000_000n });
    const claims = await packClaim(system, { channelId, salt, maximum: 2_000_000n, claimed: 1_170_000n });
    await (await autoPayLLM.connect(relay).getFunction('collect')(token, claims)).wait();
    assert.equal((await paymentChannels.getFunction('getChannel')(channelId)).settled, 1_170_000n);

    // Pay for another call by itself, of which a part will go back.
    await payForOneCall(system, 80_000n);
    assert.equal(await autoPayLLM.getFunction('refundableOf')(token, payer.address), 80_000n);
    assert.equal(await autoPayLLM.getFunction('unbooked')(token), 1_250_000n);
    assert.equal(await balanceOf(await autoPayLLM.getAddress()), bond + 1_250_000n);

    // Book it, with a refund, against a log of one entry.
    const day = Math.floor((await networkHelpers.time.latest()) / 86_400);
    const [model, provider] = [id('sim-small'), id(PROVIDER)];
    const refund = { callId: zeroPadValue('0x01', 16), to: payer.address, amount: 50_000n };
    const spends = [{ day, model, provider, amount: 1_200_000n }];
    await (await autoPayLLM.connect(relay).getFunction('book')(token, spends, [refund], 1n)).wait();
    const booked = plain((await onlyEvent(autoPayLLM, 'Booked'))['spends']) as unknown[];
    assert.equal(booked.length, 1);
    assert.equal(await balanceOf(payer.address), 50_000n, 'refund pushed');
    assert.equal(await autoPayLLM.getFunction('unbooked')(token), 0n);

    // Anchor the log, and prove the entry against the anchor.
    const entry = '0xc0ffee';
    const root = sha256(concat(['0x00', entry]));
    await (await auditLog.connect(relay).getFunction('anchor')(1n, root, id('block'))).wait();
    const anchor = plain(await onlyEvent(auditLog, 'Anchored'));
    assert.equal(await auditLog.getFunction('verifyReceipt')(anchor, 0n, entry, []), true);
    assert.equal(await auditLog.getFunction('verifyReceipt')(anchor, 0n, '0xc0ffef', []), false);

    // Release after the dispute window, not before; then anyone may pay the provider.
    await assert.rejects(autoPayLLM.getFunction('release')(1n, booked, anchor), /AutoPayLLM_DisputeWindowOpen/);
    await networkHelpers.time.increase(DISPUTE_WINDOW_SECONDS);
    await (await autoPayLLM.getFunction('release')(1n, booked, anchor)).wait();
    await (
      await autoPayLLM.getFunction('withdrawCredits')(
        await autoPayLLM.getFunction('creditId')(token, provider, payout.address),
      )
    ).wait();
    assert.equal(await balanceOf(payout.address), 1_200_000n);
    assert.equal(await balanceOf(await autoPayLLM.getAddress()), bond);

    // The rest is the payer's, after the grace period.
    await (await paymentChannels.connect(payer).getFunction('requestClose')(channelId)).wait();
    await assert.rejects(paymentChannels.connect(payer).getFunction('withdraw')(channelId), /CloseNotReady/);
    await networkHelpers.time.increase(3600);
    await (await paymentChannels.connect(payer).getFunction('withdraw')(channelId)).wait();
    assert.equal(await balanceOf(payer.address), 3_880_000n);
    assert.equal(await balanceOf(await paymentChannels.getAddress()), 0n);
  });

  it('keeps within the gas goals of DESIGN.md, calldata included', async () => {
    const system = await deployInProcess();
    await putUpBond(system);
    const { networkHelpers, usdc, autoPayLLM, auditLog, relay, payer } = system;
    const token = await usdc.getAddress();
    const channels = 100;
    const salts = Array.from({ length: channels + 1 }, (_, index) => id(`salt ${index}`));
    const opened: (OpenedChannel & { salt: string; authorizedSigner: string })[] = [];
    for (const salt of salts) {
      // Half of the channels name a session key, which here is the payer's own again: that stores a third slot.
      const authorizedSigner: string = opened.length % 2 === 0 ? ZeroAddress : payer.address;
      const channel = await openChannel(system, { salt, deposit: 10_000_000n, authorizedSigner });
      opened.push({ ...channel, salt, authorizedSigner });
    }
    const claimAll = async (amount: bigint): Promise<string> =>
      concat(
        await Promise.all(
          opened.slice(1).map((channel) => packClaim(system, { ...channel, maximum: amount, claimed: amount })),
        ),
      );
    const gasOf = async (sent: Promise<TransactionResponse>): Promise<bigint> => {
      const receipt = await (await sent).wait();
      assert(receipt);
      return receipt.gasUsed;
    };
    // The second collection is the usual one: balances and totals are not zero any more.
    const collect = autoPayLLM.connect(relay).getFunction('collect');
    await gasOf(collect(token, await claimAll(1_000_000n)));
    const claims = await claimAll(3_000_000n);
    assert.equal(getBytes(claims).length, channels * 160);
    const collectGas = await gasOf(collect(token, claims));
    assert.equal(await autoPayLLM.getFunction('unbooked')(token), 300_000_000n);

    const day = Math.floor((await networkHelpers.time.latest()) / 86_400);
    const spends = [{ day, model: id('sim-small'), provider: id(PROVIDER), amount: 100_000_000n }];
    const book = autoPayLLM.connect(relay).getFunction('book');
    await gasOf(book(token, spends, [], 1n));
    const bookGas = await gasOf(book(token, spends, [], 2n));
    const anchor = auditLog.connect(relay).getFunction('anchor');
    await gasOf(anchor(100n, id('root 1'), id('cid 1')));
    const anchorGas = await gasOf(anchor(200n, id('root 2'), id('cid 2')));

    const perChannel = collectGas / BigInt(channels);
    const [firstOfPair, sessionKey, ownKey] = opened;
    assert(firstOfPair && sessionKey && ownKey);
    console.log(
      `      gas: collect ${perChannel} per channel at ${channels}; book ${bookGas}; anchor ${anchorGas}; ` +
        `open ${ownKey.gasUsed}, with session key ${sessionKey.gasUsed}, first of a pair ${firstOfPair.gasUsed}`,
    );
    assert(perChannel <= 13_000n, `collect takes ${perChannel} per channel`);
    assert((collectGas + bookGas) / BigInt(channels) <= 14_000n, 'collect + book');
    assert(anchorGas <= 65_000n, `anchor takes ${anchorGas}`);
    assert(ownKey.gasUsed <= 110_000n, `open takes ${ownKey.gasUsed}`);
    assert(sessionKey.gasUsed <= 132_000n, `open with a session key takes ${sessionKey.gasUsed}`);
  });
});
