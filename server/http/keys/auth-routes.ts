import type { RequestHandler } from 'express';
import { logIn, type LogInDeps } from '../../keys/log-in.ts';
import { loginSchema } from '../../keys/key-schemas.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { JsonReader } from './read-json.ts';

/** What logins over HTTP need. */
export interface AuthRoutesDeps extends LogInDeps {
  json: JsonReader;
  /** What wallets may sign in to; undefined: this machine's names with the port that was connected to. */
  domains: readonly string[] | undefined;
}

const statement = 'Log in to this relay to manage API keys. This costs nothing and moves nothing.';

/** `POST /v1/auth/nonce`: the fields of a login message (EIP-4361) but the account's address. */
export function createNonceHandler(deps: AuthRoutesDeps): RequestHandler {
  return (request, response) => {
    const { expiresAtMs, nonce } = deps.secrets.issueNonce();
    const domains = domainsOf(deps, request.socket.localPort);
    response.setHeader('cache-control', 'no-store').json({
      ...{ nonce, domain: domains[0], domains, chainId: deps.chainId, version: '1', statement },
      issuedAt: new Date(deps.nowMs()).toISOString(),
      expirationTime: new Date(expiresAtMs).toISOString(),
    });
    request.resume();
  };
}

/** `POST /v1/auth/login {message, signature}`: a session token. */
export function createLoginHandler(deps: AuthRoutesDeps): RequestHandler {
  return async (request, response) => {
    const { message, signature } = await deps.json.read(request, loginSchema);
    const domains = domainsOf(deps, request.socket.localPort);
    const session = await logIn(deps, { message, signature: signature as Hex, domains });
    const { expiresAtMs, payer, token } = session;
    response
      .setHeader('cache-control', 'no-store')
      .json({ token, tokenType: 'Bearer', payer, expiresAt: new Date(expiresAtMs).toISOString() });
  };
}

/** A page on another site has another domain, whatever it has a wallet sign; these two are the user's own machine. */
function domainsOf({ domains }: AuthRoutesDeps, port: number | undefined): readonly string[] {
  return domains ?? [`127.0.0.1:${port}`, `localhost:${port}`];
}
