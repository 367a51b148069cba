import { encodeFunctionData, parseAbi } from 'viem';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../protocol/x402/addresses.ts';
import { callChain } from '../chain/call-chain.ts';
import type { ChainClient } from '../chain/create-chain-client.ts';
import { maxSettlementGas } from './build-settlement.ts';
import type { TokenPayment } from './payment-payload.ts';

/** What of a chain client is read with. */
export type StateReader = Pick<ChainClient, 'call' | 'getCode' | 'readContract'>;

/** How a simulated call ended: with its result, or refused. */
export type Simulation = { ok: true; data: Hex } | { ok: false; error: AutoPayError };

/** What the chain says of a payment, all of one round. */
export interface PayerState {
  /** Code at the payer's address; undefined for none. */
  code: Hex | undefined;
  balance: bigint;
  /** Whether the authorization's nonce is used. */
  isUsed: boolean;
  /** What Permit2 may take of the token; null with EIP-3009. */
  allowance: bigint | null;
  simulation: Simulation;
}

const tokenAbi = parseAbi([
  'function balanceOf(address account) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)',
]);
const permit2Abi = parseAbi(['function nonceBitmap(address owner, uint256 word) view returns (uint256)']);
const exactAbi = parseAbi([
  'struct TokenPermissions { address token; uint256 amount; }',
  'struct PermitTransferFrom { TokenPermissions permitted; uint256 nonce; uint256 deadline; }',
  'struct Witness { address to; uint256 validAfter; }',
  'function settle(PermitTransferFrom permit, address owner, Witness witness, bytes signature)',
]);
const uptoAbi = parseAbi([
  'struct TokenPermissions { address token; uint256 amount; }',
  'struct PermitTransferFrom { TokenPermissions permitted; uint256 nonce; uint256 deadline; }',
  'struct Witness { address to; address facilitator; uint256 validAfter; }',
  'function settle(PermitTransferFrom permit, uint256 amount, address owner, Witness witness, bytes signature)',
]);

/**
 * Reads everything that decides about a payment in one round: the client batches what is asked at once into one request.
 * @param options.desk in whose name the settlement is simulated
 * @param options.amount what is taken; below the maximum with `upto` only
 * @throws AutoPayError `chain_unavailable`
 */
export async function readPayerState(
  client: StateReader,
  payment: TokenPayment,
  { desk, amount }: { desk: Hex; amount: bigint },
): Promise<PayerState> {
  const { payer } = payment;
  const [code, balance, isUsed, allowance, simulation] = await callChain('the state of a payment', () =>
    Promise.all([
      client.getCode({ address: payer }),
      readBalance(client, payment),
      readUsed(client, payment),
      readAllowance(client, payment),
      simulate(client, desk, simulatedCall(payment, amount)),
    ]),
  );
  return { code, balance, isUsed, allowance, simulation };
}

/**
 * What the payer's wallet could pay of the token now, all its payments together, atomic units.
 * @throws AutoPayError `chain_unavailable`
 */
export async function readAvailable(client: Pick<StateReader, 'readContract'>, payment: TokenPayment): Promise<bigint> {
  const [balance, allowance] = await callChain('the funds of a payer', () =>
    Promise.all([readBalance(client, payment), readAllowance(client, payment)]),
  );
  return allowance !== null && allowance < balance ? allowance : balance;
}

function readBalance(client: Pick<StateReader, 'readContract'>, { payer, token: address }: TokenPayment) {
  return client.readContract({ address, abi: tokenAbi, functionName: 'balanceOf', args: [payer] });
}

/** What Permit2 may take; null with EIP-3009. */
function readAllowance(client: Pick<StateReader, 'readContract'>, { kind, payer, token: address }: TokenPayment) {
  if (kind === 'eip3009') return null;
  return client.readContract({ address, abi: tokenAbi, functionName: 'allowance', args: [payer, permit2Address] });
}

/** Runs a call in the name of the desk, without a transaction, and with no more gas than one may have. */
export async function simulate(
  client: Pick<ChainClient, 'call'>,
  desk: Hex,
  { to, data }: { to: Hex; data: Hex },
): Promise<Simulation> {
  try {
    const result = await callChain('a settlement', () =>
      client.call({ account: desk, to, data, gas: maxSettlementGas }),
    );
    return { ok: true, data: result.data ?? '0x' };
  } catch (cause) {
    const error = cause as AutoPayError;
    if (error.code !== 'transaction_reverted') throw error;
    return { ok: false, error };
  }
}

function readUsed(client: Pick<ChainClient, 'readContract'>, { kind, payer, token, nonce }: TokenPayment) {
  if (kind === 'eip3009') {
    const args = [payer, nonce] as const;
    return client.readContract({ address: token, abi: tokenAbi, functionName: 'authorizationState', args });
  }
  // Permit2's unordered nonces: 248 bits name a word of the bitmap, the last 8 a bit of it.
  const args = [payer, BigInt(nonce) >> 8n] as const;
  return client
    .readContract({ address: permit2Address, abi: permit2Abi, functionName: 'nonceBitmap', args })
    .then((bitmap) => ((bitmap >> (BigInt(nonce) & 0xffn)) & 1n) === 1n);
}

/** The call that would move `amount`, as @x402 simulates it. */
export function simulatedCall(payment: TokenPayment, amount: bigint): { to: Hex; data: Hex } {
  const { kind, payer, token, recipient, maximum, validAfter, validBefore, nonce, signature } = payment;
  if (kind === 'eip3009') {
    const args = [payer, recipient, maximum, validAfter, validBefore, nonce] as const;
    const functionName = 'transferWithAuthorization';
    const bytes = fromHex(signature);
    if (bytes.length !== 65) {
      return { to: token, data: encodeFunctionData({ abi: tokenAbi, functionName, args: [...args, signature] }) };
    }
    const split = [bytes[64] ?? 0, `0x${signature.slice(2, 66)}`, `0x${signature.slice(66, 130)}`] as const;
    return { to: token, data: encodeFunctionData({ abi: tokenAbi, functionName, args: [...args, ...split] }) };
  }
  const permit = { permitted: { token, amount: maximum }, nonce: BigInt(nonce), deadline: validBefore };
  const functionName = 'settle';
  if (kind === 'permit2-exact') {
    const args = [permit, payer, { to: recipient, validAfter }, signature] as const;
    return { to: exactProxyAddress, data: encodeFunctionData({ abi: exactAbi, functionName, args }) };
  }
  const witness = { to: recipient, facilitator: payment.facilitator ?? recipient, validAfter };
  const args = [permit, amount, payer, witness, signature] as const;
  return { to: uptoProxyAddress, data: encodeFunctionData({ abi: uptoAbi, functionName, args }) };
}
