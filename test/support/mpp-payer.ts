import { randomBytes } from 'node:crypto';
import { createPublicClient, createWalletClient, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { fromHex, toHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatCredential } from '../../protocol/mpp/credential.ts';
import { openingNonce, receiveAuthorizationDigest, topUpNonce } from '../../protocol/typed-data/authorization.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import { RawPayer, chatBody, type PayerScope } from './raw-payer.ts';

/** USDC's own, at version 2.2. */
const domain = { name: 'USD Coin', version: '2' };
const validitySeconds = 600;

/** What a session receipt of MPP says. */
export interface SessionReceiptJson {
  channelId: Hex;
  acceptedCumulative: string;
  spent: string;
  txHash?: Hex;
}

/** A payer of MPP sessions without ether: whatever has to be on the chain, the relay sends. */
export class MppPayer extends RawPayer {
  readonly #privateKey: Hex;

  private constructor(scope: PayerScope, privateKey: Hex) {
    super(scope, privateKey);
    this.#privateKey = privateKey;
  }

  /** A new wallet that holds USDC of `funder` and nothing else. */
  static async create(scope: PayerScope, options: { funder: Hex; usdcAtomic: bigint }): Promise<MppPayer> {
    const payer = new MppPayer(scope, generatePrivateKey());
    const wallet = createWalletClient({ account: privateKeyToAccount(options.funder), transport: http(scope.rpcUrl) });
    const hash = await wallet.writeContract({
      ...{ address: scope.token, abi: fiatTokenAbi, chain: null },
      ...{ functionName: 'transfer', args: [payer.address, options.usdcAtomic] },
    });
    await reader(scope).waitForTransactionReceipt({ hash });
    return payer;
  }

  get privateKey(): Hex {
    return this.#privateKey;
  }

  get #from(): Hex {
    return this.address.toLowerCase() as Hex;
  }

  balance(): Promise<bigint> {
    const { token } = this.scope;
    return reader(this.scope).readContract({
      address: token,
      abi: fiatTokenAbi,
      functionName: 'balanceOf',
      args: [this.address],
    });
  }

  /** Wei: none, ever. */
  gas(): Promise<bigint> {
    return reader(this.scope).getBalance({ address: this.address });
  }

  onChain(channelId: Hex) {
    const { escrow: address } = this.scope;
    return reader(this.scope).readContract({
      address,
      abi: paymentChannelsAbi,
      functionName: 'getChannel',
      args: [channelId],
    });
  }

  /** The deposit that opens a channel, with its id. */
  opening(value: bigint, salt: Hex = toHex(randomBytes(32))) {
    const { chainId, escrow, payee, token } = this.scope;
    const channel = { payer: this.#from, payee, token, salt, authorizedSigner: zeroAddress };
    const deposit = { type: 'authorization', salt, ...this.#authorize(value, openingNonce(channel)) };
    return { channelId: computeChannelId({ ...channel, escrow, chainId }), deposit };
  }

  /** The deposit that tops a channel up. */
  toppingUp(channelId: Hex, value: bigint) {
    const salt = toHex(randomBytes(32));
    const nonce = topUpNonce({ channelId, additionalDeposit: value, from: this.#from, salt });
    return { type: 'authorization', salt, ...this.#authorize(value, nonce) };
  }

  /** Fields of a voucher. */
  voucher(channelId: Hex, cumulative: bigint) {
    return { channelId, cumulativeAmount: cumulative.toString(), signature: this.sign(channelId, cumulative) };
  }

  /** `HEAD` with a payload. */
  async head(payload: Record<string, unknown>): Promise<Response> {
    const authorization = formatCredential({ challenge: await this.challenge(), payload });
    return fetch(`${this.scope.relayUrl}/v1/chat/completions`, { method: 'HEAD', headers: { authorization } });
  }

  /** A call that is paid with a payload. */
  async call(payload: Record<string, unknown>, body: string = chatBody()): Promise<Response> {
    return this.post(body, { authorization: formatCredential({ challenge: await this.challenge(body), payload }) });
  }

  #authorize(value: bigint, nonce: Hex) {
    const { chainId, escrow: to, token: verifyingContract } = this.scope;
    const validBefore = Math.floor(Date.now() / 1_000) + validitySeconds;
    const message = { from: this.#from, to, value, validAfter: 0n, validBefore: BigInt(validBefore), nonce };
    const digest = receiveAuthorizationDigest({ ...domain, chainId, verifyingContract }, message);
    const authorization = Object.fromEntries(Object.entries(message).map(([name, field]) => [name, field.toString()]));
    return { authorization, signature: toHex(signDigest(digest, fromHex(this.#privateKey, 32))) };
  }
}

/** What a `Payment-Receipt` says. */
export function sessionReceiptOf(response: Response): SessionReceiptJson {
  return decodeBase64UrlJson(response.headers.get('payment-receipt') ?? '') as SessionReceiptJson;
}

function reader({ rpcUrl }: PayerScope) {
  return createPublicClient({ transport: http(rpcUrl), pollingInterval: 50, cacheTime: 0 });
}
