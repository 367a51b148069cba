import type { Hex } from '../../../protocol/bytes/hex.ts';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../../protocol/x402/addresses.ts';
import { callChain } from '../../chain/call-chain.ts';
import type { ChainClient } from '../../chain/create-chain-client.ts';
import type { RelayConfig } from '../../config/relay-config.ts';
import { readAvailable } from '../../settlement/read-payer-state.ts';
import type { PaymentSubmitter } from '../../settlement/settle-payment.ts';
import { readTokenDomains } from '../token-domains.ts';
import { createFacilitatorClient } from './facilitator-client.ts';
import { guardVerifier } from './guard-verifier.ts';
import type { PaymentVerifier } from './payment-verifier.ts';
import { createLocalVerifier } from './verify-locally.ts';
import type { X402Terms } from './x402-terms.ts';

/** What x402 is done with at this relay. */
export interface X402Setup {
  terms: X402Terms;
  verifier: PaymentVerifier;
  /** The facilitator outside; undefined where the relay settles by itself. */
  submitter: PaymentSubmitter | undefined;
}

/** For a settlement to get into a block after the longest call, and for a client to send what it signed, seconds. */
const marginSeconds = 300;

/**
 * Makes the terms of x402 of a configuration and what the chain says of its tokens.
 * @throws AutoPayError `chain_unavailable`
 */
export async function prepareX402(options: {
  config: Pick<RelayConfig, 'realm' | 'tokens'> & {
    limits: Pick<RelayConfig['limits'], 'callTimeoutMs' | 'drainTimeoutMs'>;
    chain: Pick<RelayConfig['chain'], 'id'>;
    contracts: Pick<RelayConfig['contracts'], 'paymentDesk'>;
    payment: Pick<RelayConfig['payment'], 'x402'>;
  };
  client: Pick<ChainClient, 'call' | 'getBlockNumber' | 'getCode' | 'readContract'>;
}): Promise<X402Setup> {
  const { client, config } = options;
  const desk = config.contracts.paymentDesk;
  const addresses = config.tokens.map(({ address }) => address);
  const domains = await readTokenDomains(client, { chainId: config.chain.id, tokens: addresses });
  const [hasPermit2, hasExactProxy, hasUptoProxy] = await Promise.all(
    [permit2Address, exactProxyAddress, uptoProxyAddress].map((address) => hasCode(client, address)),
  );
  const { facilitatorUrl } = config.payment.x402;
  const { callTimeoutMs, drainTimeoutMs } = config.limits;
  const minValiditySeconds = Math.ceil((callTimeoutMs + drainTimeoutMs) / 1_000) + marginSeconds;
  const terms: X402Terms = {
    chainId: config.chain.id,
    desk,
    tokens: config.tokens.map(({ address, symbol }, index) => ({ address, symbol, domain: domains[index] ?? null })),
    hasUpto: facilitatorUrl === undefined && hasPermit2 === true && hasUptoProxy === true,
    hasPermit2Exact: hasPermit2 === true && hasExactProxy === true,
    baseUrl: `https://${config.realm}`,
    minValiditySeconds,
    maxTimeoutSeconds: minValiditySeconds + marginSeconds,
  };
  const guard = (verifier: PaymentVerifier) => guardVerifier(verifier, { chainId: terms.chainId, nowMs: Date.now });
  if (facilitatorUrl === undefined) {
    return { terms, verifier: guard(createLocalVerifier({ client, terms })), submitter: undefined };
  }
  const facilitator = createFacilitatorClient({
    ...{ url: facilitatorUrl, terms },
    readAvailable: (payment) => readAvailable(client, payment),
  });
  return { terms, verifier: guard(facilitator), submitter: facilitator };
}

/** x402's contracts are at the same addresses on every chain that has them; not every chain has them. */
async function hasCode(client: Pick<ChainClient, 'getCode'>, address: Hex): Promise<boolean> {
  const code = await callChain('the contracts of Permit2 and x402', () => client.getCode({ address }));
  return code !== undefined && code !== '0x';
}
