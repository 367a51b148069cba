/**
 * Channels that somebody else opens and tops up for the payer, with the real USDC code: the payer signs EIP-3009
 * authorizations and never sends a transaction. And batches on it: blocked payers, and what a settlement costs.
 */
import { strict as assert } from 'node:assert';
import hre from 'hardhat';
import { AbiCoder, concat, id, keccak256, toBeHex, ZeroAddress } from 'ethers';
import type { ContractTransactionReceipt, ContractTransactionResponse } from 'ethers';
import { describe, it } from 'mocha';
import localUsdcModule from '../../ignition/modules/LocalUsdc.ts';

const DEPOSIT = 10_000_000n;
const NEVER = 4_000_000_000n;

async function deployEscrow() {
  const { ethers, ignition } = await hre.network.create('l2');
  const [deployer, payee, payer, submitter] = await ethers.getSigners();
  assert(deployer && payee && payer && submitter);
  const { usdc } = await ignition.deploy(localUsdcModule);
  const channels = await ethers.deployContract('PaymentChannels');
  await usdc.getFunction('mint')(payer.address, 1_000n * DEPOSIT);
  const { chainId } = await ethers.provider.getNetwork();
  const [escrow, token] = [await channels.getAddress(), await usdc.getAddress()];
  const voucherDomain = { name: 'EVM Payment Channel', version: '1', chainId, verifyingContract: escrow };
  const usdcDomain = { name: 'USD Coin', version: '2', chainId, verifyingContract: token };
  return { ethers, usdc, channels, deployer, payee, payer, submitter, escrow, token, voucherDomain, usdcDomain };
}

type System = Awaited<ReturnType<typeof deployEscrow>>;

async function mined(sent: Promise<ContractTransactionResponse>): Promise<ContractTransactionReceipt> {
  const receipt = await (await sent).wait();
  assert(receipt);
  return receipt;
}

function hashWords(types: string[], values: unknown[]): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, values));
}

/** The payer's signature over `ReceiveWithAuthorization` in favour of the escrow. */
async function authorize(system: System, value: bigint, nonce: string): Promise<string> {
  const types = {
    ReceiveWithAuthorization: [
      { name: 'from', type: 'address' },
      { name: 'to', type: 'address' },
      { name: 'value', type: 'uint256' },
      { name: 'validAfter', type: 'uint256' },
      { name: 'validBefore', type: 'uint256' },
      { name: 'nonce', type: 'bytes32' },
    ],
  };
  const message = { from: system.payer.address, to: system.escrow, value, validAfter: 0n, validBefore: NEVER, nonce };
  return system.payer.signTypedData(system.usdcDomain, types, message);
}

function openNonce(system: System, payee: string, salt: string): string {
  const terms = [system.payer.address, payee, system.token, salt, ZeroAddress];
  return hashWords(['address', 'address', 'address', 'bytes32', 'address'], terms);
}

/** The arguments of `openWithAuthorization`, signed by the payer, to be sent by anybody. */
async function openArguments(system: System, salt: string): Promise<unknown[]> {
  const nonce = openNonce(system, system.payee.address, salt);
  const signature = await authorize(system, DEPOSIT, nonce);
  const terms = [system.payee.address, system.token, DEPOSIT, salt, ZeroAddress];
  return [...terms, system.payer.address, 0n, NEVER, nonce, signature];
}

async function channelIdOf(system: System, payer: string, salt: string, signer = ZeroAddress): Promise<string> {
  const terms = [payer, system.payee.address, system.token, salt, signer];
  return (await system.channels.getFunction('computeChannelId')(...terms)) as string;
}

type Wallet = System['payer'];

/** One packed claim whose maximum is what is claimed. */
async function packClaim(
  system: System,
  claim: { wallet: Wallet; salt: string; amount: bigint; signer?: string },
): Promise<string> {
  const { wallet, salt, amount, signer = ZeroAddress } = claim;
  const types = {
    Voucher: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'cumulativeAmount', type: 'uint128' },
    ],
  };
  const message = { channelId: await channelIdOf(system, wallet.address, salt, signer), cumulativeAmount: amount };
  const signature = system.ethers.Signature.from(await wallet.signTypedData(system.voucherDomain, types, message));
  const amounts = [toBeHex(amount, 12), toBeHex(amount, 12)];
  return concat([wallet.address, salt, signer, ...amounts, signature.r, signature.yParityAndS]);
}

async function openByAllowance(system: System, wallet: Wallet, salt: string, signer = ZeroAddress): Promise<void> {
  const { usdc, channels, escrow, payee, token } = system;
  await mined(usdc.connect(wallet).getFunction('approve')(escrow, DEPOSIT) as Promise<ContractTransactionResponse>);
  await mined(
    channels.connect(wallet).getFunction('open')(
      payee.address,
      token,
      DEPOSIT,
      salt,
      signer,
    ) as Promise<ContractTransactionResponse>,
  );
}

describe('relayed channels, with real USDC', () => {
  it('opens and tops up by signatures of a payer that sends nothing', async () => {
    const system = await deployEscrow();
    const { channels, usdc, payer, submitter, escrow } = system;
    const sentBefore = await payer.getNonce();
    const salt = id('relayed');
    const relayed = channels.connect(submitter);
    await mined(relayed.getFunction('openWithAuthorization')(...(await openArguments(system, salt))));
    const channelId = await channelIdOf(system, payer.address, salt);
    const channel = await channels.getFunction('getChannel')(channelId);
    assert.equal(channel.payer, payer.address);
    assert.equal(channel.deposit, DEPOSIT);

    const types = ['bytes32', 'uint128', 'address', 'bytes32'];
    const nonce = hashWords(types, [channelId, 5n, payer.address, id('top-up')]);
    const signature = await authorize(system, 5n, nonce);
    const terms = [channelId, 5n, payer.address, id('top-up'), 0n, NEVER, nonce];
    await mined(relayed.getFunction('topUpWithAuthorization')(...terms, signature));
    assert.equal((await channels.getFunction('getChannel')(channelId)).deposit, DEPOSIT + 5n);
    assert.equal(await usdc.getFunction('balanceOf')(escrow), DEPOSIT + 5n);
    assert.equal(await payer.getNonce(), sentBefore, 'the payer sent no transaction');
    await assert.rejects(
      relayed.getFunction('topUpWithAuthorization')(...terms, signature),
      /FiatTokenV2: authorization is used or canceled/,
    );
  });

  it('gives a front-runner nothing', async () => {
    const system = await deployEscrow();
    const { channels, usdc, payer, submitter } = system;
    const thief = channels.connect(submitter);
    const salt = id('contested');
    const signed = await openArguments(system, salt);
    const diverted = [submitter.address, ...signed.slice(1)];
    await assert.rejects(thief.getFunction('openWithAuthorization')(...diverted), /NonceMismatch/);
    diverted[8] = openNonce(system, submitter.address, salt);
    await assert.rejects(thief.getFunction('openWithAuthorization')(...diverted), /FiatTokenV2: invalid signature/);
    const [, , , , , from, after, before, nonce, signature] = signed;
    const receive = 'receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)';
    const stolen = [from, system.escrow, DEPOSIT, after, before, nonce, signature];
    await assert.rejects(
      usdc.connect(submitter).getFunction(receive)(...stolen),
      /FiatTokenV2: caller must be the payee/,
    );
    await mined(thief.getFunction('openWithAuthorization')(...signed));
    const channel = await channels.getFunction('getChannel')(await channelIdOf(system, payer.address, salt));
    assert.equal(channel.payee, system.payee.address, 'who submits the same only pays the gas');
  });

  it('closes a batch around a payer that USDC blocks', async () => {
    const system = await deployEscrow();
    const { channels, usdc, deployer, payee, payer, submitter, token } = system;
    await mined(usdc.getFunction('mint')(submitter.address, DEPOSIT));
    const salt = id('blocked');
    await openByAllowance(system, payer, salt);
    await openByAllowance(system, submitter, salt);
    await mined(usdc.connect(deployer).getFunction('blacklist')(submitter.address));
    const claims = concat([
      await packClaim(system, { wallet: submitter, salt, amount: 3n }),
      await packClaim(system, { wallet: payer, salt, amount: 4n }),
    ]);
    const held = (await usdc.getFunction('balanceOf')(payer.address)) as bigint;
    await mined(channels.connect(payee).getFunction('closeBatch')(token, claims));
    assert.equal(await usdc.getFunction('balanceOf')(payee.address), 7n);
    assert.equal(await usdc.getFunction('balanceOf')(payer.address), held + DEPOSIT - 4n);
    const blocked = await channels.getFunction('getChannel')(await channelIdOf(system, submitter.address, salt));
    assert.deepEqual([blocked.settled, blocked.finalized], [3n, false]);
    const closed = await channels.getFunction('getChannel')(await channelIdOf(system, payer.address, salt));
    assert.deepEqual([closed.settled, closed.finalized], [4n, true]);
  });

  it('settles a hundred channels within the gas goal of DESIGN.md, calldata included', async () => {
    const system = await deployEscrow();
    const { channels, payee, payer, token } = system;
    const count = 100;
    // Half of the channels name a session key, which here is the payer's own again: more calldata.
    const opened = Array.from({ length: count }, (_, index) => ({
      wallet: payer,
      salt: id(`salt ${index}`),
      signer: index % 2 === 0 ? ZeroAddress : payer.address,
    }));
    for (const channel of opened) await openByAllowance(system, payer, channel.salt, channel.signer);
    const settle = async (amount: bigint): Promise<bigint> => {
      const claims = await Promise.all(opened.map((channel) => packClaim(system, { ...channel, amount })));
      const sent = channels.connect(payee).getFunction('settleBatch')(token, concat(claims));
      return (await mined(sent as Promise<ContractTransactionResponse>)).gasUsed;
    };
    // The second settlement is the usual one: totals and the payee's balance are not zero any more.
    await settle(1_000_000n);
    const perChannel = (await settle(3_000_000n)) / BigInt(count);
    console.log(`      gas: settleBatch ${perChannel} per channel at ${count}`);
    assert(perChannel <= 12_500n, `settleBatch takes ${perChannel} per channel`);
  });
});
