import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';
import { z } from 'zod';
import { addressSchema } from '../protocol/payments/value-schemas.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { errorCodes, type ErrorCode } from '../protocol/errors/error-codes.ts';
import { parseJson } from '../protocol/text/parse-json.ts';
import type { Wallet } from './open-wallet.ts';
import { writeFileDurably } from './write-file-durably.ts';

const fileName = 'session.json';
/** One that ends so soon might end on the way. */
const marginMs = 30_000;

const fieldsSchema = z.object({
  nonce: z.string().regex(/^[A-Za-z0-9]{8,128}$/),
  domain: z.string(),
  domains: z.array(z.string()).max(64).optional(),
  chainId: z.number().int().positive(),
  version: z.literal('1'),
  // It stands between other fields of the signed message, so it must not bring lines of its own.
  statement: z
    .string()
    .max(256)
    .regex(/^[^\p{Cc}]*$/u),
});
const loginSchema = z.object({ token: z.string().min(1), payer: addressSchema, expiresAt: z.iso.datetime() });
const sessionSchema = loginSchema.extend({ relayUrl: z.url() });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** A login at a relay; `token` is a secret. */
export type RelayLogin = z.output<typeof sessionSchema>;

/** A wallet's session with its relay, for routes that know payers by their login (docs/KEYS.md). */
export interface RelaySession {
  /** Logs in by the wallet's signature, and keeps the token in the state folder (0600). */
  logIn(): Promise<RelayLogin>;
  /**
   * Asks the relay as the payer; logs in first where there is no session, or it has ended.
   * @returns the answer, as `schema` reads it.
   * @throws AutoPayError the relay's refusal, by its code; `upstream_error` for an answer that is not understood.
   */
  ask<T extends z.ZodType>(request: RelayRequest<T>): Promise<z.output<T>>;
  /**
   * The same for an answer that is read as it comes, such as an export.
   * @throws AutoPayError the relay's refusal, by its code
   */
  open(request: Pick<RelayRequest<z.ZodType>, 'path'>): Promise<Response>;
}

/** A request to a route of the relay that answers JSON. */
export interface RelayRequest<T extends z.ZodType> {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: object;
  /** The answer's shape. */
  schema: T;
}

/** Opens a wallet's session with its relay. Nothing is asked before it is used. */
export function openRelaySession(wallet: Wallet): RelaySession {
  const { relayUrl, options } = wallet;
  const account = privateKeyToAccount(options.privateKey);
  const payer = account.address.toLowerCase();
  const file = join(options.stateDir, fileName);

  async function logIn(): Promise<RelayLogin> {
    const { terms } = await wallet.connect();
    const fields = await send(wallet, { method: 'POST', path: '/v1/auth/nonce', schema: fieldsSchema });
    const { host } = new URL(relayUrl);
    // A login for another host would let this relay act as the wallet there.
    const isHere = [fields.domain, ...(fields.domains ?? [])].includes(host);
    if (!isHere || fields.chainId !== terms.chainId) {
      throw new AutoPayError(
        'invalid_login',
        `The relay at ${host} asks for a login to ${fields.domain} on chain ${fields.chainId}. Nothing was signed. Check the URL.`,
      );
    }
    const { nonce, chainId, version, statement } = fields;
    const place = { domain: host, uri: relayUrl, chainId };
    const message = createSiweMessage({ address: account.address, ...place, nonce, version, statement });
    const body = { message, signature: await account.signMessage({ message }) };
    const given = await send(wallet, { method: 'POST', path: '/v1/auth/login', body, schema: loginSchema });
    const login = { relayUrl, ...given };
    await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
    await writeFileDurably(file, `${JSON.stringify(login)}\n`);
    return login;
  }

  async function readSaved(): Promise<RelayLogin | undefined> {
    const text = await readFile(file, 'utf8').catch(() => '');
    const { data } = sessionSchema.safeParse(parseJson(text));
    if (data?.relayUrl !== relayUrl || data.payer !== payer) return undefined;
    return Date.parse(data.expiresAt) - marginMs > Date.now() ? data : undefined;
  }

  /** With the saved session, or a new one where the relay does not know that any more. */
  async function withToken<T>(work: (token: string) => Promise<T>): Promise<T> {
    const saved = await readSaved();
    if (!saved) return work((await logIn()).token);
    try {
      return await work(saved.token);
    } catch (error) {
      // The relay has another secret than then.
      if (!(error instanceof AutoPayError) || error.code !== 'login_required') throw error;
      return work((await logIn()).token);
    }
  }

  return {
    logIn,
    ask: (request) => withToken((token) => send(wallet, { ...request, token })),
    open: ({ path }) => withToken((token) => openAnswer(wallet, { method: 'GET', path, token })),
  };
}

/**
 * Asks a relay as the bearer of a token that is there already, such as the operator's; `ask` and `open` are as a session's.
 * @param relay its base URL, and what sends the requests
 */
export function openBearerSession(relay: RelayPlace, token: string): Pick<RelaySession, 'ask' | 'open'> {
  return {
    ask: (request) => send(relay, { ...request, token }),
    open: ({ path }) => openAnswer(relay, { method: 'GET', path, token }),
  };
}

/** Where a relay is, and what sends the requests. */
type RelayPlace = Pick<Wallet, 'relayUrl' | 'fetch'>;

async function send<T extends z.ZodType>(
  relay: RelayPlace,
  { schema, ...request }: RelayRequest<T> & { token?: string },
): Promise<z.output<T>> {
  const response = await openAnswer(relay, request);
  const parsed = schema.safeParse(parseJson(await response.text()));
  if (parsed.success) return parsed.data;
  throw new AutoPayError(
    'upstream_error',
    `The answer to ${request.method} ${request.path} is not understood. Is this a relay of ours?`,
    { cause: parsed.error },
  );
}

/** An answer that is no refusal, unread. */
async function openAnswer(
  relay: RelayPlace,
  { method, path, body, token }: Omit<RelayRequest<z.ZodType>, 'schema'> & { token?: string },
): Promise<Response> {
  const response = await relay.fetch(`${relay.relayUrl}${path}`, {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    redirect: 'error',
  });
  if (response.ok) return response;
  const { data } = errorSchema.safeParse(parseJson(await response.text()));
  if (data && isErrorCode(data.error.code)) throw new AutoPayError(data.error.code, data.error.message);
  throw new AutoPayError(
    'upstream_error',
    `The relay answered ${response.status} to ${method} ${path}. Check its URL.`,
  );
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
