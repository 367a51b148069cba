import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { RawPayer } from './raw-payer.ts';

/** What a login message is made of, as `POST /v1/auth/nonce` says. */
interface LoginFields {
  nonce: string;
  domain: string;
  chainId: number;
  version: '1';
  statement: string;
}

/** An answer of the API of keys. */
export interface Answer {
  status: number;
  headers: Headers;
  // Its shape is what the tests are about.
  body: Record<string, unknown> & { error?: { code: string; message: string } & Record<string, unknown> };
}

/** A payer that manages API keys, writing each request by hand (docs/KEYS.md). */
export class KeyOwner {
  readonly payer: RawPayer;
  readonly #privateKey: Hex;
  #token = '';

  constructor(payer: RawPayer, privateKey: Hex) {
    this.payer = payer;
    this.#privateKey = privateKey;
  }

  /** Any request; `bearer` is the session's token unless told otherwise. */
  async ask(method: string, path: string, options: { body?: object; bearer?: string } = {}): Promise<Answer> {
    const { body, bearer = this.#token } = options;
    const response = await fetch(`${this.payer.scope.relayUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  }

  /** A login message that this wallet signed, with changes. */
  async signLogin(changes: Partial<Parameters<typeof createSiweMessage>[0]> = {}) {
    const { body } = await this.ask('POST', '/v1/auth/nonce');
    const { nonce, domain, chainId, version, statement } = body as unknown as LoginFields;
    const account = privateKeyToAccount(this.#privateKey);
    const message = createSiweMessage({
      ...{ address: account.address, domain, uri: `http://${domain}`, nonce, chainId, version, statement },
      ...changes,
    });
    return { message, signature: await account.signMessage({ message }) };
  }

  /** Logs in; later requests carry the session's token. */
  async logIn(): Promise<Answer> {
    const answer = await this.ask('POST', '/v1/auth/login', { body: await this.signLogin() });
    this.#token = String(answer.body['token']);
    return answer;
  }

  /** Posts a voucher as headroom for keys. */
  postHeadroom(channelId: Hex, cumulativeAmount: bigint): Promise<Answer> {
    const signature = this.payer.sign(channelId, cumulativeAmount);
    const body = { channelId, cumulativeAmount: String(cumulativeAmount), signature };
    return this.ask('POST', '/v1/keys/headroom', { body });
  }

  /** Makes a key, and gives it with its id. */
  async createKey(terms: object = {}): Promise<{ apiKey: string; id: string }> {
    const { body, status } = await this.ask('POST', '/v1/keys', { body: terms });
    if (status !== 201) throw new Error(`no key: ${status} ${JSON.stringify(body)}`);
    return { apiKey: String(body['key']), id: String(body['id']) };
  }
}
