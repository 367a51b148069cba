import { EVM_NETWORK_CHAIN_ID_MAP } from '@x402/evm/v1';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { parseCredential, paymentAuthorization } from '../../protocol/mpp/credential.ts';
import { decodePayment } from '../../protocol/x402/decode-payment.ts';
import type { RequestHeaders } from './payment-method.ts';

/**
 * The chain that the `Payment` credential of a request names: that of the challenge which it answers.
 * @returns undefined if there is none, or it names none: whoever reads it whole says what is wrong with it
 */
export function chainOfCredential(headers: RequestHeaders): number | undefined {
  const authorization = paymentAuthorization(headers);
  if (authorization === undefined) return undefined;
  return orUndefined(() => {
    const request = decodeBase64UrlJson(parseCredential(authorization)?.challenge.request ?? '');
    const { methodDetails } = request as { methodDetails?: { chainId?: unknown } };
    return typeof methodDetails?.chainId === 'number' ? methodDetails.chainId : undefined;
  });
}

/**
 * The chain of an x402 payment, by its network: CAIP-2, or a name of v1.
 * @param header `PAYMENT-SIGNATURE`, or `X-PAYMENT`
 * @returns as `chainOfCredential`
 */
export function chainOfX402({ 'payment-signature': v2, 'x-payment': v1 }: RequestHeaders): number | undefined {
  const header = v2 ?? v1;
  if (header === undefined) return undefined;
  return orUndefined(() => {
    const { network } = decodePayment(v2 === undefined ? 'X-PAYMENT' : 'PAYMENT-SIGNATURE', header);
    const [, id] = /^eip155:([0-9]{1,15})$/.exec(network) ?? [];
    if (id !== undefined) return Number(id);
    return Object.entries(EVM_NETWORK_CHAIN_ID_MAP).find(([name]) => name === network)?.[1];
  });
}
