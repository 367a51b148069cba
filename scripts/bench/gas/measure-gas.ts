import { randomBytes } from 'node:crypto';
import { encodeAbiParameters, keccak256, type Abi, type Hex } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import { toHex, zeroAddress } from '../../../protocol/bytes/hex.ts';
import { permit2Address } from '../../../protocol/x402/addresses.ts';
import { computeChannelId } from '../../../protocol/typed-data/channel-id.ts';
import { voucherDomain, voucherTypes } from '../../../protocol/typed-data/voucher.ts';
import { encodeClaims } from '../../../server/collection/encode-claims.ts';
import type { TransactionCost } from './gas-chain.ts';
import { signPermit } from './sign-permit.ts';
import { nameId, type GasSystem } from './gas-system.ts';

/** Channels of one batch: the size that the goals are stated for. */
export const BATCH_CHANNELS = 100;

/** What was measured; batches are totals. */
export interface Measurements {
  openFirstOfPair: TransactionCost;
  openOwnKey: TransactionCost;
  openSessionKey: TransactionCost;
  openWithAuthorization: TransactionCost;
  /** `settleBatch` called by a payee that is a wallet. */
  settleBatch: TransactionCost;
  closeBatch: TransactionCost;
  collect: TransactionCost;
  book: TransactionCost;
  release: TransactionCost;
  withdrawCredits: TransactionCost;
  /** One anchor after few entries, and one after very many. */
  anchorSmall: TransactionCost;
  anchorLarge: TransactionCost;
  /** The blueprint's call, and the overload with a model and a call id. */
  executeLLMCall: TransactionCost;
  executeLLMCallOnce: TransactionCost;
  approve: TransactionCost;
  /** One payment by EIP-3009 from wallet to wallet: what x402 `exact` does where nothing can be refunded or booked. */
  transferWithAuthorization: TransactionCost;
  /** One payment for one call at the desk: credited, and refundable. */
  acceptAuthorization: TransactionCost;
  acceptPermit2: TransactionCost;
  acceptUpto: TransactionCost;
}

interface OpenedChannel {
  salt: Hex;
  signer: PrivateKeyAccount;
  payee: Hex;
}

const DEPOSIT = 10_000_000n;

/** Measures every operation, each with balances and totals that are not zero any more: the usual case. */
export async function measureGas(system: GasSystem): Promise<Measurements> {
  const { accounts, send } = system;
  const { escrow, usdc, business } = targetsOf(system);
  const { payer, relay, payee, deployer } = accounts;
  const approve = await send({ from: payer, ...usdc, functionName: 'approve', args: [escrow.to, 10n ** 14n] });

  const open = async (to: Hex, signer: PrivateKeyAccount): Promise<OpenedChannel & { cost: TransactionCost }> => {
    const salt = toHex(randomBytes(32));
    const authorizedSigner = signer === payer ? zeroAddress : signer.address;
    const args = [to, usdc.to, DEPOSIT, salt, authorizedSigner];
    return { salt, signer, payee: to, cost: await send({ from: payer, ...escrow, functionName: 'open', args }) };
  };
  const openMany = async (to: Hex): Promise<OpenedChannel[]> => {
    const opened: OpenedChannel[] = [];
    for (let index = 0; index < BATCH_CHANNELS; index += 1) {
      opened.push(await open(to, index % 2 === 0 ? payer : accounts.session));
    }
    return opened;
  };
  const openFirstOfPair = (await open(business.to, payer)).cost;
  const openOwnKey = (await open(business.to, payer)).cost;
  const openSessionKey = (await open(business.to, accounts.session)).cost;
  const openWithAuthorization = await measureRelayedOpen(system);

  // Of a wallet as the payee.
  const direct = await openMany(payee.address);
  const settle = async (amount: bigint): Promise<TransactionCost> => {
    const args = [usdc.to, await packClaims(system, direct, amount)];
    return send({ from: payee, ...escrow, functionName: 'settleBatch', args });
  };
  await settle(1_000_000n);
  const settleBatch = await settle(3_000_000n);
  const closing = [usdc.to, await packClaims(system, direct, 4_000_000n)];
  const closeBatch = await send({ from: payee, ...escrow, functionName: 'closeBatch', args: closing });

  // Of AutoPayLLM as the payee, with a bond, so that it may book.
  await send({ from: deployer, ...usdc, functionName: 'approve', args: [business.to, 10n ** 14n] });
  await send({ from: deployer, ...business, functionName: 'depositBond', args: [usdc.to, 10n ** 13n] });
  const channels = await openMany(business.to);
  const collectAll = async (amount: bigint): Promise<TransactionCost> => {
    const args = [usdc.to, await packClaims(system, channels, amount)];
    return send({ from: relay, ...business, functionName: 'collect', args });
  };
  await collectAll(1_000_000n);
  const collect = await collectAll(3_000_000n);
  const booked = await measureBooking(system);
  const anchors = await measureAnchors(system);
  return {
    ...{ openFirstOfPair, openOwnKey, openSessionKey, openWithAuthorization, settleBatch, closeBatch, collect },
    ...booked,
    ...anchors,
    ...(await measureAllowanceCalls(system)),
    approve,
    transferWithAuthorization: await measureAuthorizedTransfer(system),
    ...(await measureDesk(system)),
  };
}

/** The contracts as targets of calls. */
function targetsOf({ contracts }: GasSystem) {
  const target = ({ address, abi }: { address: Hex; abi: Abi }) => ({ to: address, abi });
  return {
    escrow: target(contracts.paymentChannels),
    business: target(contracts.autoPayLLM),
    desk: target(contracts.paymentDesk),
    log: target(contracts.auditLog),
    usdc: target(contracts.usdc),
    agpt: target(contracts.agpt),
  };
}

/** Only the overload of a function with so many arguments. */
function overload(abi: Abi, name: string, inputs: number): Abi {
  return abi.filter((entry) => entry.type === 'function' && entry.name === name && entry.inputs.length === inputs);
}

async function packClaims(system: GasSystem, channels: readonly OpenedChannel[], amount: bigint): Promise<Hex> {
  const { payer } = system.accounts;
  const { escrow, usdc } = targetsOf(system);
  const scope = { chainId: system.chainId, verifyingContract: escrow.to };
  const claims = await Promise.all(
    channels.map(async ({ salt, signer, payee }) => {
      const authorizedSigner = signer === payer ? zeroAddress : signer.address;
      const terms = { payer: payer.address, payee, token: usdc.to, salt, authorizedSigner };
      const channelId = computeChannelId({ ...terms, escrow: escrow.to, chainId: scope.chainId });
      const signed = await signer.signTypedData({
        domain: voucherDomain(scope),
        types: voucherTypes,
        primaryType: 'Voucher',
        message: { channelId, cumulativeAmount: amount },
      });
      return encodeClaims([{ channel: terms, maximum: amount, claimed: amount, signature: signed }]);
    }),
  );
  return toHex(Buffer.concat(claims));
}

/** Books twice, and releases and withdraws the second booking's credit, when the provider has been paid before. */
async function measureBooking(system: GasSystem): Promise<Pick<Measurements, 'book' | 'release' | 'withdrawCredits'>> {
  const { accounts, send } = system;
  const { usdc, business: target, log } = targetsOf(system);
  const business = { from: accounts.relay, ...target };
  const day = Number((await system.blockTime()) / 86_400n);
  const provider = nameId('simulated');
  const spends = [{ day, model: nameId('sim-small'), provider, amount: 100_000_000n }];
  const booked = [{ ...spends[0], payout: accounts.provider.address, withinBudget: true }];
  const creditId = keccak256(
    encodeAbiParameters(
      [{ type: 'address' }, { type: 'bytes32' }, { type: 'address' }],
      [usdc.to, provider, accounts.provider.address],
    ),
  );
  const noWord = toHex(Buffer.alloc(32));
  // Each step's log has one entry more, which is anchored after the booking.
  const step = async (batchId: bigint) => {
    const book = await send({ ...business, functionName: 'book', args: [usdc.to, spends, [], batchId] });
    await send({ from: accounts.relay, ...log, functionName: 'anchor', args: [batchId, noWord, noWord] });
    const anchoredAt = await system.blockTime();
    const anchor = { size: batchId, previousSize: batchId - 1n, anchoredAt, root: noWord, cid: noWord };
    await system.increaseTime(3_600n);
    const release = await send({ ...business, functionName: 'release', args: [batchId, booked, anchor] });
    const withdrawCredits = await send({ ...business, functionName: 'withdrawCredits', args: [creditId] });
    return { book, release, withdrawCredits };
  };
  await step(1n);
  return step(2n);
}

/** Anchors of the log; each costs about as much, however many entries it adds. */
export async function measureAnchors(system: GasSystem): Promise<Pick<Measurements, 'anchorSmall' | 'anchorLarge'>> {
  const log = { from: system.accounts.relay, ...targetsOf(system).log };
  const anchor = (size: bigint): Promise<TransactionCost> =>
    system.send({ ...log, functionName: 'anchor', args: [size, toHex(randomBytes(32)), toHex(randomBytes(32))] });
  await anchor(100n);
  return { anchorSmall: await anchor(101n), anchorLarge: await anchor(16_000_101n) };
}

/** The second call each of the same user, provider and model on a day, with an unlimited allowance. */
async function measureAllowanceCalls(
  system: GasSystem,
): Promise<Pick<Measurements, 'executeLLMCall' | 'executeLLMCallOnce'>> {
  const { accounts, send } = system;
  const { agpt, business } = targetsOf(system);
  const everything = (1n << 256n) - 1n;
  await send({ from: accounts.payer, ...agpt, functionName: 'approve', args: [business.to, everything] });
  const call = (args: readonly unknown[]): Promise<TransactionCost> => {
    const abi = overload(business.abi, 'executeLLMCall', args.length);
    return send({ from: accounts.relay, to: business.to, abi, functionName: 'executeLLMCall', args });
  };
  const once = () => call([accounts.payer.address, 'simulated', 'sim-small', 1_250n, toHex(randomBytes(16))]);
  await once();
  return {
    executeLLMCallOnce: await once(),
    executeLLMCall: await call([accounts.payer.address, 'simulated', 1_250n]),
  };
}

async function measureRelayedOpen(system: GasSystem): Promise<TransactionCost> {
  const { payer, relay } = system.accounts;
  const { escrow, business, usdc } = targetsOf(system);
  const salt = toHex(randomBytes(32));
  const nonce = keccak256(
    encodeAbiParameters(
      [{ type: 'address' }, { type: 'address' }, { type: 'address' }, { type: 'bytes32' }, { type: 'address' }],
      [payer.address, business.to, usdc.to, salt, zeroAddress],
    ),
  );
  const times = { validAfter: 0n, validBefore: 1n << 40n };
  const message = { from: payer.address, to: escrow.to, value: DEPOSIT, ...times, nonce };
  const signature = await signAuthorization(system, 'ReceiveWithAuthorization', message);
  const terms = [business.to, usdc.to, DEPOSIT, salt, zeroAddress, payer.address];
  const args = [...terms, ...Object.values(times), nonce, signature];
  return system.send({ from: relay, ...escrow, functionName: 'openWithAuthorization', args });
}

async function measureAuthorizedTransfer(system: GasSystem): Promise<TransactionCost> {
  const { payer, payee, relay } = system.accounts;
  const { usdc } = targetsOf(system);
  const abi = overload(usdc.abi, 'transferWithAuthorization', 7);
  const pay = async (): Promise<TransactionCost> => {
    const parties = { from: payer.address, to: payee.address, value: 1_000n };
    const message = { ...parties, validAfter: 0n, validBefore: 1n << 40n, nonce: toHex(randomBytes(32)) };
    const args = [...Object.values(message), await signAuthorization(system, 'TransferWithAuthorization', message)];
    return system.send({ from: relay, to: usdc.to, abi, functionName: 'transferWithAuthorization', args });
  };
  await pay();
  return pay();
}

/** The second payment each of one payer: sums and balances are not zero any more. */
async function measureDesk(
  system: GasSystem,
): Promise<Pick<Measurements, 'acceptAuthorization' | 'acceptPermit2' | 'acceptUpto'>> {
  const { payer, relay } = system.accounts;
  const { usdc, desk } = targetsOf(system);
  await system.send({ from: payer, ...usdc, functionName: 'approve', args: [permit2Address, 10n ** 14n] });
  const times = { validAfter: 0n, validBefore: 1n << 40n };
  const accept = async (
    functionName: 'acceptAuthorization' | 'acceptPermit2' | 'acceptUpto',
  ): Promise<TransactionCost> => {
    const nonce = toHex(randomBytes(32));
    const amount = 1_000n;
    const payment = { token: usdc.to, from: payer.address, amount, ...times, nonce };
    const authorization = { from: payer.address, to: desk.to, value: amount, ...times, nonce };
    const signature =
      functionName === 'acceptAuthorization'
        ? await signAuthorization(system, 'TransferWithAuthorization', authorization)
        : await signPermit(system, { ...payment, isUpto: functionName === 'acceptUpto' });
    const args = functionName === 'acceptUpto' ? [payment, 700n, signature] : [payment, signature];
    return system.send({ from: relay, ...desk, functionName, args });
  };
  await accept('acceptAuthorization');
  return {
    acceptAuthorization: await accept('acceptAuthorization'),
    acceptPermit2: await accept('acceptPermit2'),
    acceptUpto: await accept('acceptUpto'),
  };
}

function signAuthorization(
  system: GasSystem,
  primaryType: 'ReceiveWithAuthorization' | 'TransferWithAuthorization',
  message: Record<string, unknown>,
): Promise<Hex> {
  const types = {
    from: 'address',
    to: 'address',
    value: 'uint256',
    validAfter: 'uint256',
    validBefore: 'uint256',
    nonce: 'bytes32',
  };
  const verifyingContract = targetsOf(system).usdc.to;
  return system.accounts.payer.signTypedData({
    domain: { name: 'USD Coin', version: '2', chainId: system.chainId, verifyingContract },
    types: { [primaryType]: Object.entries(types).map(([name, type]) => ({ name, type })) },
    primaryType,
    message,
  });
}
