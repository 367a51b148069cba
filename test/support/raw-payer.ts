import { randomBytes } from 'node:crypto';
import { createPublicClient, createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { fromHex, toHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { formatCredential } from '../../protocol/mpp/credential.ts';
import { sessionRequestSchema, type ChallengeEcho } from '../../protocol/mpp/session-schemas.ts';
import { voucherDigest, voucherDomainSeparator } from '../../protocol/typed-data/voucher.ts';

/** What a payer must know of a deployment. */
export interface PayerScope {
  relayUrl: string;
  rpcUrl: string;
  chainId: number;
  escrow: Hex;
  payee: Hex;
  token: Hex;
}

/** A call without a limit of its own is bounded by this many output tokens in these tests. */
export const chatBody = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({ model: 'sim-small', messages: [{ role: 'user', content: 'Hi.' }], max_tokens: 16, ...fields });

/**
 * A payer that writes the wire by hand (docs/PROTOCOL.md §1–2), so that tests can also send what our client never would.
 */
export class RawPayer {
  readonly scope: PayerScope;
  readonly #privateKey: Hex;

  constructor(scope: PayerScope, privateKey: Hex) {
    this.scope = scope;
    this.#privateKey = privateKey;
  }

  get address(): Hex {
    return privateKeyToAccount(this.#privateKey).address;
  }

  /** Approves and opens a channel; its id. `payee` may be a foreign one. */
  async openChannel(options: { deposit: bigint; payee?: Hex; salt?: Hex }): Promise<Hex> {
    const { scope } = this;
    const account = privateKeyToAccount(this.#privateKey);
    const wallet = createWalletClient({ account, transport: http(scope.rpcUrl) });
    const reader = createPublicClient({ transport: http(scope.rpcUrl), pollingInterval: 50 });
    const salt = options.salt ?? toHex(randomBytes(32));
    const payee = options.payee ?? scope.payee;
    const approval = await wallet.writeContract({
      address: scope.token,
      abi: fiatTokenAbi,
      functionName: 'approve',
      args: [scope.escrow, options.deposit],
      chain: null,
    });
    await reader.waitForTransactionReceipt({ hash: approval });
    const opening = await wallet.writeContract({
      address: scope.escrow,
      abi: paymentChannelsAbi,
      functionName: 'open',
      args: [payee, scope.token, options.deposit, salt, zeroAddress],
      chain: null,
    });
    const receipt = await reader.waitForTransactionReceipt({ hash: opening });
    if (receipt.status !== 'success') throw new Error('the channel did not open');
    return reader.readContract({
      address: scope.escrow,
      abi: paymentChannelsAbi,
      functionName: 'computeChannelId',
      args: [account.address, payee, scope.token, salt, zeroAddress],
    });
  }

  /** A challenge of the relay, from the 402 that a request without payment gets. */
  async challenge(body = chatBody()): Promise<ChallengeEcho> {
    // The headers of a 402 are bounded, so that not every offer of every method is in them.
    const response = await this.post(body, { 'accept-payment': 'evm/session' });
    const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
    const challenge = challenges.find(({ request }) => currencyOf(request) === this.scope.token.toLowerCase());
    if (!challenge) throw new Error(`no challenge: ${response.status} ${await response.text()}`);
    return challenge;
  }

  /** The signature of a voucher, by this payer's key or another. */
  sign(channelId: Hex, cumulativeAmount: bigint, privateKey: Hex = this.#privateKey): Hex {
    const separator = voucherDomainSeparator({
      chainId: this.scope.chainId,
      verifyingContract: this.scope.escrow,
    });
    return toHex(signDigest(voucherDigest(separator, { channelId, cumulativeAmount }), fromHex(privateKey, 32)));
  }

  /** The Authorization header for a voucher. */
  authorization(options: {
    challenge: ChallengeEcho;
    channelId: Hex;
    cumulativeAmount: bigint;
    signature?: Hex;
  }): string {
    const { challenge, channelId, cumulativeAmount } = options;
    const signature = options.signature ?? this.sign(channelId, cumulativeAmount);
    const payload = { action: 'voucher', channelId, cumulativeAmount: cumulativeAmount.toString(), signature };
    return formatCredential({ challenge, payload });
  }

  /** POST /v1/chat/completions. */
  post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.scope.relayUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
  }

  /** A paid call with a voucher over `cumulativeAmount`. */
  async pay(options: {
    channelId: Hex;
    cumulativeAmount: bigint;
    body?: string;
    challenge?: ChallengeEcho;
    signature?: Hex;
  }): Promise<Response> {
    const challenge = options.challenge ?? (await this.challenge());
    return this.post(options.body ?? chatBody(), { authorization: this.authorization({ ...options, challenge }) });
  }
}

/** The token that a challenge asks for. */
function currencyOf(request: string): string {
  return sessionRequestSchema.parse(decodeBase64UrlJson(request)).currency;
}
