import { x402Client, x402HTTPClient, wrapFetchWithPayment } from '@x402/fetch';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { UptoEvmScheme } from '@x402/evm/upto/client';
import { createPublicClient, createWalletClient, http, maxUint256, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { permit2Address } from '../../protocol/x402/addresses.ts';
import { decodePayment } from '../../protocol/x402/decode-payment.ts';

/** A wallet that pays with the unmodified clients of `@x402`. */
export class X402Payer {
  readonly address: Hex;
  /** The last payment that the client sent by itself, as its header. */
  lastPayment = '';
  readonly #options: { relayUrl: string; rpcUrl: string; token: Hex; privateKey: Hex };
  readonly #account;

  constructor(options: { relayUrl: string; rpcUrl: string; token: Hex; privateKey: Hex }) {
    this.#options = options;
    this.#account = privateKeyToAccount(options.privateKey);
    this.address = this.#account.address.toLowerCase() as Hex;
  }

  /** The client of `@x402/core`, for the schemes of these names. Its spend limits know no token of a local chain. */
  client(schemes: readonly ('exact' | 'upto')[]): x402Client {
    const client = new x402Client().setSpendControls(false);
    if (schemes.includes('upto')) client.register('eip155:*', new UptoEvmScheme(this.#account));
    if (schemes.includes('exact')) client.register('eip155:*', new ExactEvmScheme(this.#account));
    return client;
  }

  /** fetch of `@x402/fetch`. */
  fetch(scheme: 'exact' | 'upto'): typeof fetch {
    const watched: typeof fetch = (input, init) => {
      const headers = input instanceof Request ? input.headers : new Headers(init?.headers);
      const sent = headers.get('PAYMENT-SIGNATURE');
      if (sent !== null) this.lastPayment = sent;
      return fetch(input, init);
    };
    return wrapFetchWithPayment(watched, this.client([scheme]));
  }

  /** The headers that pay for a request with this body, signed for the offer that the relay makes it. */
  async sign(body: string, scheme: 'exact' | 'upto'): Promise<Record<string, string>> {
    const response = await this.post(body);
    const client = new x402HTTPClient(this.client([scheme]));
    const required = client.getPaymentRequiredResponse((name) => response.headers.get(name), await response.json());
    return client.encodePaymentSignatureHeader(await client.createPaymentPayload(required));
  }

  /** POST /v1/chat/completions. */
  post(body: string, headers: Record<string, string> = {}): Promise<Response> {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
    return fetch(`${this.#options.relayUrl}/v1/chat/completions`, init);
  }

  balance(): Promise<bigint> {
    return this.#reader().readContract({ ...this.#token(), functionName: 'balanceOf', args: [this.address] });
  }

  /** Lets Permit2 take the token, as wallets do once. */
  approvePermit2(): Promise<void> {
    return this.#send('approve', [permit2Address, maxUint256]);
  }

  transfer(to: Hex, amount: bigint): Promise<void> {
    return this.#send('transfer', [to, amount]);
  }

  /** Brings an EIP-3009 payment to the chain, as anybody may who sees its header. */
  async submit(header: string): Promise<void> {
    const { signed } = decodePayment('PAYMENT-SIGNATURE', header);
    const { payer, recipient, maximum, validAfter, validBefore, nonce, signature } = signed;
    const args = [payer, recipient, maximum, validAfter, validBefore, nonce, signature] as const;
    const abi = parseAbi([
      'function transferWithAuthorization(address, address, uint256, uint256, uint256, bytes32, bytes)',
    ]);
    const wallet = createWalletClient({ account: this.#account, transport: http(this.#options.rpcUrl) });
    const { token: address } = this.#options;
    const hash = await wallet.writeContract({
      ...{ address, abi, functionName: 'transferWithAuthorization', args, chain: null },
    });
    const { status } = await this.#reader().waitForTransactionReceipt({ hash });
    if (status !== 'success') throw new Error('transferWithAuthorization reverted');
  }

  async #send(functionName: 'approve' | 'transfer', args: readonly [Hex, bigint]): Promise<void> {
    const wallet = createWalletClient({ account: this.#account, transport: http(this.#options.rpcUrl) });
    const hash = await wallet.writeContract({ ...this.#token(), functionName, args, chain: null });
    const { status } = await this.#reader().waitForTransactionReceipt({ hash });
    if (status !== 'success') throw new Error(`${functionName} reverted`);
  }

  #token() {
    return { address: this.#options.token, abi: fiatTokenAbi } as const;
  }

  #reader() {
    return createPublicClient({ transport: http(this.#options.rpcUrl), pollingInterval: 50 });
  }
}
