import { ExactEvmScheme } from '@x402/evm/exact/client';
import { UptoEvmScheme } from '@x402/evm/upto/client';
import { ExactEvmSchemeV1 } from '@x402/evm/v1';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import { requirementsFor } from './build-offers.ts';
import { v1NetworkOf } from './v1-network.ts';
import type { X402Terms, X402Token } from './x402-terms.ts';

/** A token with EIP-3009, and one without. */
export const usdc: X402Token = {
  address: `0x${'11'.repeat(20)}`,
  symbol: 'USDC',
  domain: { name: 'USD Coin', version: '2' },
};
export const plain: X402Token = { address: `0x${'22'.repeat(20)}`, symbol: 'PLAIN', domain: null };

/** What a relay on Base would offer. */
export const terms: X402Terms = {
  chainId: 8453,
  desk: `0x${'de'.repeat(20)}`,
  tokens: [usdc, plain],
  hasUpto: true,
  hasPermit2Exact: true,
  baseUrl: 'https://relay.example',
  minValiditySeconds: 1_000,
  maxTimeoutSeconds: 1_300,
};

/** The payer of these tests. */
export const account = privateKeyToAccount(`0x${'5a'.repeat(32)}`);
export const payer = account.address.toLowerCase() as Hex;

/** What to sign. */
export interface PaymentToSign {
  kind?: 'eip3009' | 'permit2-exact' | 'permit2-upto';
  token?: X402Token;
  amount?: bigint;
  terms?: X402Terms;
}

/** The JSON of `PAYMENT-SIGNATURE`, signed by the client of `@x402/evm`. */
export async function signPayment(options: PaymentToSign = {}): Promise<Record<string, unknown>> {
  const { kind = 'eip3009', amount = 5_000n, terms: offered = terms } = options;
  const token = options.token ?? (kind === 'permit2-exact' ? plain : usdc);
  const accepted = requirementsFor(offered, { kind, token, amount });
  const scheme = kind === 'permit2-upto' ? new UptoEvmScheme(account) : new ExactEvmScheme(account);
  return { ...(await scheme.createPaymentPayload(2, accepted)), accepted };
}

/** The JSON of `X-PAYMENT`, signed by the v1 client of `@x402/evm`. */
export async function signV1Payment(options: Pick<PaymentToSign, 'amount' | 'token'> = {}): Promise<object> {
  const { amount = 5_000n, token = usdc } = options;
  const { maxTimeoutSeconds, payTo, asset, extra, scheme } = requirementsFor(terms, { kind: 'eip3009', token, amount });
  const requirements = { scheme, maxTimeoutSeconds, payTo, asset, extra, network: v1NetworkOf(terms.chainId) };
  // The v1 client is typed with v2's requirements, and reads maxAmountRequired.
  const offer = { ...requirements, maxAmountRequired: amount.toString() } as never;
  return new ExactEvmSchemeV1(account).createPaymentPayload(1, offer);
}

/** The headers of a request that carries a payment. */
export function paymentHeaders(payment: object, name = 'payment-signature'): Record<string, string> {
  return { [name]: encodeHeaderJson(payment) };
}
