import { describe, expect, it } from 'vitest';
import { parseCredential } from '../protocol/mpp/credential.ts';
import { paymentIdOf } from '../protocol/payments/payment-id.ts';
import { challengeNonce } from '../protocol/typed-data/authorization.ts';
import { permit2Address, uptoProxyAddress } from '../protocol/x402/addresses.ts';
import { decodePayment } from '../protocol/x402/decode-payment.ts';
import type { Offer } from './read-offers.ts';
import { signOffer } from './sign-offer.ts';
import { walletAddress, walletKey } from './testing/seed-wallet.ts';
import { doublePayee, offerOf, usdcOnBase } from './testing/seller-double.ts';

const requirements = offerOf({ extra: { name: 'USD Coin', version: '2', facilitatorAddress: doublePayee } });
const exact: Offer = {
  ...{ method: 'x402/exact', network: 'eip155:8453', chainId: 8_453, asset: usdcOnBase, amount: 5_000n },
  ...{ payTo: doublePayee, transfer: 'eip3009', domain: { name: 'USD Coin', version: '2' }, validSeconds: 900 },
  source: { version: 2, requirements, resource: { url: 'u' } },
};
const signing = { privateKey: walletKey, amount: 4_000n, mostSeconds: 600 };
const nowSeconds = () => Math.floor(Date.now() / 1_000);

describe('a signed offer', () => {
  it('is for the amount that the wallet allows, as long as it allows', async () => {
    const { headers, paymentId, validBefore } = await signOffer(exact, signing);
    const { accepted, signed } = decodePayment('PAYMENT-SIGNATURE', headers['PAYMENT-SIGNATURE'] ?? '');
    expect([accepted?.amount, signed.maximum, signed.recipient]).toEqual([4_000n, 4_000n, doublePayee]);
    expect(validBefore).toBe(Number(signed.validBefore));
    expect(Math.abs(validBefore - nowSeconds() - 600)).toBeLessThan(5);
    const { nonce } = signed;
    expect(paymentId).toBe(paymentIdOf({ kind: 'eip3009', contract: usdcOnBase, payer: walletAddress, nonce }));
  });

  it('has the id of Permit2’s nonce with upto', async () => {
    const source = { ...exact.source, requirements: { ...requirements, scheme: 'upto' } } as Offer['source'];
    const offer: Offer = { ...exact, method: 'x402/upto', transfer: 'permit2', source };
    const { headers, paymentId } = await signOffer(offer, signing);
    const { signed } = decodePayment('PAYMENT-SIGNATURE', headers['PAYMENT-SIGNATURE'] ?? '');
    expect(signed).toMatchObject({ spender: uptoProxyAddress, facilitator: doublePayee, maximum: 4_000n });
    const identity = {
      kind: 'permit2-upto',
      contract: permit2Address,
      payer: walletAddress,
      nonce: signed.nonce,
    } as const;
    expect(paymentId).toBe(paymentIdOf(identity));
  });

  it('is bound to its challenge with evm/charge', async () => {
    const challenge = { id: 'c', realm: 'r', method: 'evm', intent: 'charge', request: 'e30' };
    const source = { version: 'mpp', challenge } as const;
    const { headers } = await signOffer({ ...exact, method: 'evm/charge', source }, { ...signing, amount: 5_000n });
    expect(parseCredential(headers['authorization'] ?? '')).toMatchObject({
      ...{ challenge, source: `did:pkh:eip155:8453:${walletAddress}` },
      payload: {
        from: walletAddress,
        to: doublePayee,
        value: '5000',
        validAfter: '0',
        nonce: challengeNonce(challenge),
      },
    });
  });

  it.each([
    ['without an EIP-712 domain', { domain: undefined }],
    ['on no chain', { chainId: undefined }],
  ])('is none %s', async (_, change) => {
    await expect(signOffer({ ...exact, ...change }, signing)).rejects.toMatchObject({ code: 'payment_invalid' });
  });
});
