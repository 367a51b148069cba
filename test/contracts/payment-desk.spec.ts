/**
 * The desk as deployed, with the real USDC and AGPT code, Permit2 as Uniswap's source compiles, and stand-ins of x402's
 * proxies; signatures are made by what the specifications say, with no code of the relay.
 */
import { strict as assert } from 'node:assert';
import { id, TypedDataEncoder, type TypedDataDomain, type TypedDataField } from 'ethers';
import { before, describe, it } from 'mocha';
import { deployInProcess, type DeployedSystem } from '../support/deploy-in-process.ts';

type System = DeployedSystem;
type Types = Record<string, TypedDataField[]>;

const UNTIL = 1n << 40n;

const fields = (text: string): TypedDataField[] =>
  text.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ');
    return { type, name };
  });
const authorizationTypes: Types = {
  TransferWithAuthorization: fields(
    'address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce',
  ),
};
const permitTypes = (witness: string): Types => ({
  PermitWitnessTransferFrom: fields(
    'TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness',
  ),
  TokenPermissions: fields('address token,uint256 amount'),
  Witness: fields(witness),
});

interface Payment {
  token: string;
  amount: bigint;
  nonce: string;
}

/** The payment as the desk takes it. */
const signedPayment = ({ payer }: System, { token, amount, nonce }: Payment) => [
  ...[token, payer.address, amount, 0n, UNTIL, nonce],
];

async function signAuthorization(system: System, payment: Payment, domain: TypedDataDomain): Promise<string> {
  const { payer, paymentDesk, chainId } = { ...system, chainId: (await system.ethers.provider.getNetwork()).chainId };
  return payer.signTypedData({ ...domain, chainId, verifyingContract: payment.token }, authorizationTypes, {
    ...{ from: payer.address, to: await paymentDesk.getAddress(), value: payment.amount },
    ...{ validAfter: 0n, validBefore: UNTIL, nonce: payment.nonce },
  });
}

async function signPermit(system: System, payment: Payment, scheme: 'exact' | 'upto'): Promise<string> {
  const { payer, paymentDesk, plan, ethers } = system;
  const { chainId } = await ethers.provider.getNetwork();
  const desk = await paymentDesk.getAddress();
  const isExact = scheme === 'exact';
  const message = {
    permitted: { token: payment.token, amount: payment.amount },
    spender: isExact ? plan.x402.exactProxy : plan.x402.uptoProxy,
    ...{ nonce: BigInt(payment.nonce), deadline: UNTIL },
    witness: isExact ? { to: desk, validAfter: 0n } : { to: desk, facilitator: desk, validAfter: 0n },
  };
  const witness = isExact ? 'address to,uint256 validAfter' : 'address to,address facilitator,uint256 validAfter';
  const domain = { name: 'Permit2', chainId, verifyingContract: plan.permit2 };
  return payer.signTypedData(domain, permitTypes(witness), message);
}

const domains: Record<'usdc' | 'agpt', TypedDataDomain> = {
  usdc: { name: 'USD Coin', version: '2' },
  agpt: { name: 'AgentGPT', version: '1' },
};

describe('the payment desk, with real USDC, AGPT and Permit2', () => {
  let system: System;
  let addresses: Record<'usdc' | 'agpt' | 'desk' | 'business', string>;
  const balanceOf = async (token: 'usdc' | 'agpt', owner: string): Promise<bigint> =>
    system[token].getFunction('balanceOf')(owner);
  const refundable = async (token: string): Promise<bigint> =>
    system.autoPayLLM.getFunction('refundableOf')(token, system.payer.address);
  /** Calls the desk as the relay; says what that moved. */
  const call = async (token: 'usdc' | 'agpt', name: string, ...args: unknown[]) => {
    const observed = async () => [
      await balanceOf(token, system.payer.address),
      await refundable(addresses[token]),
      await balanceOf(token, addresses.business),
    ];
    const before = await observed();
    await (await system.paymentDesk.connect(system.relay).getFunction(name)(...args)).wait();
    assert.equal(await balanceOf(token, addresses.desk), 0n, 'the desk is empty');
    assert.equal(await system[token].getFunction('allowance')(addresses.desk, addresses.business), 0n, 'no allowance');
    const after = await observed();
    const [paid = 0n, credited = 0n, arrived = 0n] = after.map((value, index) => value - (before[index] ?? 0n));
    return { paid: -paid, credited, arrived };
  };

  before(async () => {
    system = await deployInProcess();
    const { usdc, agpt, paymentDesk, autoPayLLM, payer, plan } = system;
    addresses = {
      ...{ usdc: await usdc.getAddress(), agpt: await agpt.getAddress() },
      ...{ desk: await paymentDesk.getAddress(), business: await autoPayLLM.getAddress() },
    };
    await usdc.getFunction('mint')(payer.address, 10_000_000n);
    for (const token of [usdc, agpt]) await token.connect(payer).getFunction('approve')(plan.permit2, 1n << 200n);
  });

  it('computes Permit2’s domain for this chain', async () => {
    const { ethers, plan } = system;
    const permit2 = await ethers.getContractAt('IPermit2', plan.permit2);
    const { chainId } = await ethers.provider.getNetwork();
    const domain = { name: 'Permit2', chainId, verifyingContract: plan.permit2 };
    assert.equal(await permit2.getFunction('DOMAIN_SEPARATOR')(), TypedDataEncoder.hashDomain(domain));
  });

  for (const token of ['usdc', 'agpt'] as const) {
    const moved = (amount: bigint) => ({ paid: amount, credited: amount, arrived: amount });

    it(`takes ${token} by EIP-3009, once`, async () => {
      const payment = { token: addresses[token], amount: 70_000n, nonce: id(`authorization ${token}`) };
      const signature = await signAuthorization(system, payment, domains[token]);
      const args = [signedPayment(system, payment), signature];
      assert.deepEqual(await call(token, 'acceptAuthorization', ...args), moved(70_000n));
      await assert.rejects(call(token, 'acceptAuthorization', ...args), /PaymentDesk_AlreadyReceived/);
    });

    it(`takes ${token} by Permit2 for x402 exact, once`, async () => {
      const payment = { token: addresses[token], amount: 60_000n, nonce: id(`exact ${token}`) };
      const args = [signedPayment(system, payment), await signPermit(system, payment, 'exact')];
      assert.deepEqual(await call(token, 'acceptPermit2', ...args), moved(60_000n));
      await assert.rejects(call(token, 'acceptPermit2', ...args), /PaymentDesk_AlreadyReceived/);
    });

    it(`takes a part of ${token} by Permit2 for x402 upto, once`, async () => {
      const payment = { token: addresses[token], amount: 50_000n, nonce: id(`upto ${token}`) };
      const [terms, signature] = [signedPayment(system, payment), await signPermit(system, payment, 'upto')];
      await assert.rejects(call(token, 'acceptUpto', terms, 50_001n, signature), /PaymentDesk_AmountTooHigh/);
      assert.deepEqual(await call(token, 'acceptUpto', terms, 12_345n, signature), moved(12_345n));
      await assert.rejects(call(token, 'acceptUpto', terms, 1n, signature), /PaymentDesk_AlreadyReceived/);
    });

    it(`loses nothing when a stranger submits a payment of ${token} first`, async () => {
      const { payout: stranger, payer, plan, ethers } = system;
      const first = { token: addresses[token], amount: 40_000n, nonce: id(`first ${token}`) };
      const authorization = await signAuthorization(system, first, domains[token]);
      const transfer = 'transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)';
      const contract = new ethers.Contract(addresses[token], [`function ${transfer}`], stranger);
      const terms = [payer.address, addresses.desk, first.amount, 0n, UNTIL, first.nonce, authorization];
      await (await contract.getFunction(transfer)(...terms)).wait();
      const second = { token: addresses[token], amount: 30_000n, nonce: id(`second ${token}`) };
      const permit = await signPermit(system, second, 'exact');
      const proxy = await ethers.getContractAt('X402ExactPermit2Proxy', plan.x402.exactProxy, stranger);
      const permitted = [[second.token, second.amount], BigInt(second.nonce), UNTIL];
      await (await proxy.getFunction('settle')(permitted, payer.address, [addresses.desk, 0n], permit)).wait();
      assert.equal(await balanceOf(token, addresses.desk), 70_000n);

      const desk = system.paymentDesk.connect(system.relay);
      const before = await refundable(addresses[token]);
      await assert.rejects(desk.getFunction('acceptAuthorization')(signedPayment(system, first), authorization));
      await assert.rejects(desk.getFunction('acceptPermit2')(signedPayment(system, second), permit));
      await (await desk.getFunction('attributePermit2')(signedPayment(system, second), permit)).wait();
      await (await desk.getFunction('attributeAuthorization')(signedPayment(system, first), authorization)).wait();
      assert.equal(await balanceOf(token, addresses.desk), 0n);
      assert.equal((await refundable(addresses[token])) - before, 70_000n);
    });
  }

  it('gives a payer back what a payment brought in beyond its charge', async () => {
    const { autoPayLLM, relay, payer } = system;
    const paid = await refundable(addresses.usdc);
    const refund = (amount: bigint) => [{ callId: `0x${'1'.repeat(32)}`, to: payer.address, amount }];
    const book = autoPayLLM.connect(relay).getFunction('book');
    await assert.rejects(book(addresses.usdc, [], refund(paid + 1n), 0n), /AutoPayLLM_NotRefundable/);
    const held = await balanceOf('usdc', payer.address);
    await (await book(addresses.usdc, [], refund(paid), 0n)).wait();
    assert.equal(await balanceOf('usdc', payer.address), held + paid);
    assert.equal(await refundable(addresses.usdc), 0n);
  });

  it('takes the relay’s calls only', async () => {
    const payment = { token: addresses.usdc, amount: 1n, nonce: id('stranger') };
    const args = [signedPayment(system, payment), await signAuthorization(system, payment, domains.usdc)];
    const accept = system.paymentDesk.connect(system.payout).getFunction('acceptAuthorization');
    await assert.rejects(accept(...args), /PaymentDesk_NotRelay/);
  });
});
