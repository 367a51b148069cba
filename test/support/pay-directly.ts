import { randomBytes } from 'node:crypto';
import { encodeFunctionData } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { paymentIdOf, type DirectPaymentKind } from '../../protocol/payments/payment-id.ts';
import { receiveAuthorizationTypes } from '../../protocol/typed-data/authorization.ts';
import type { DirectPayment } from '../../server/ledger/ledger.ts';
import { chargeCall } from './charge-calls.ts';
import type { ChainStack } from './deploy-stack.ts';
import type { TestRelay } from './open-test-relay.ts';

/** A call that is paid by a payment of its own. */
export interface DirectCall {
  stack: ChainStack;
  relay: TestRelay;
  /** What it costs, atomic units of USDC. */
  amount: bigint;
  /** What is signed for it. */
  maximum: bigint;
  kind?: Exclude<DirectPaymentKind, 'allowance'>;
  /** Key of the wallet that pays; the stack's payer by default. */
  walletKey?: Uint8Array;
  priceRoot?: Hex;
}

/** A payment in USDC for a call, reserved and charged, but not taken: it is due. */
export async function chargeDirectly(call: DirectCall): Promise<DirectPayment & { nonce: Hex }> {
  const { stack, relay, amount, maximum, kind = 'eip3009', walletKey = stack.payerKey, priceRoot } = call;
  const token = stack.contracts.usdc;
  const payer = privateKeyToAccount(toHex(walletKey)).address.toLowerCase() as Hex;
  const nonce = toHex(randomBytes(32));
  const paymentId = paymentIdOf({ kind, contract: token, payer, nonce });
  const payment = {
    paymentId,
    kind,
    payer,
    token,
    maximum,
    payload: '{}',
    validBefore: null,
    available: 2n ** 128n - 1n,
  };
  await chargeCall({
    ...{ ledger: relay.ledger, channel: null, payment, amount, token },
    ...(priceRoot === undefined ? {} : { priceRoot }),
  });
  return { ...payment, nonce };
}

/** Lets the desk take what a charged payment is to bring in, and tells the ledger. */
export async function settleDirectly(call: DirectCall, payment: DirectPayment & { nonce: Hex }): Promise<void> {
  const { stack, relay, walletKey = stack.payerKey } = call;
  const { paymentId, payer, token, nonce } = payment;
  const charged = await relay.ledger.getPayment(paymentId);
  if (charged === undefined) throw new Error(`nobody knows payment ${paymentId}`);
  const terms = { value: charged.captured, validAfter: 0n, validBefore: 1n << 40n, nonce };
  const signature = await privateKeyToAccount(toHex(walletKey)).signTypedData({
    domain: { name: 'USD Coin', version: '2', chainId: stack.chain.chainId, verifyingContract: token },
    types: { TransferWithAuthorization: receiveAuthorizationTypes.ReceiveWithAuthorization },
    primaryType: 'TransferWithAuthorization',
    message: { from: payer, to: stack.contracts.paymentDesk, ...terms },
  });
  const { value: amount, ...times } = terms;
  const args = [{ token, from: payer, amount, ...times }, signature] as const;
  const data = encodeFunctionData({ abi: paymentDeskAbi, functionName: 'acceptAuthorization', args });
  const { transactionHash } = await relay.queue.send({
    purpose: `pay:${paymentId}`,
    to: stack.contracts.paymentDesk,
    data,
  });
  await relay.ledger.settlePayment({ paymentId, transactionHash });
}

/** Charges a call to a payment of its own, and takes it. */
export async function payDirectly(call: DirectCall): Promise<DirectPayment> {
  const payment = await chargeDirectly(call);
  await settleDirectly(call, payment);
  return payment;
}
