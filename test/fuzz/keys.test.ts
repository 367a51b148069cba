import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { createJsonReader } from '../../server/http/keys/read-json.ts';
import { createManageDeps, someKey, someKeyChannel, testPayer, testTokens } from '../../server/keys/key-fixtures.ts';
import {
  changeKeySchema,
  changeProjectSchema,
  createKeySchema,
  createProjectSchema,
  headroomSchema,
  loginSchema,
} from '../../server/keys/key-schemas.ts';
import { deleteKeysSchema, generateKeySchema, updateKeySchema } from '../../server/keys/litellm-schemas.ts';
import { logIn } from '../../server/keys/log-in.ts';
import { createLoginSecrets } from '../../server/keys/login-secrets.ts';
import { changeKey, createKey } from '../../server/keys/manage-keys.ts';
import { mutateJson, mutateText, type Random } from './mutate.ts';
import { fuzzTimeoutMs, runFuzz } from './run-fuzz.ts';

const nowMs = () => 1_790_000_000_000;
const domain = 'relay.example.com';

describe('a mutated login', { timeout: fuzzTimeoutMs }, () => {
  it('logs nobody in but the account that signed, by the message that it signed', async () => {
    const account = privateKeyToAccount(`0x${'42'.repeat(32)}`);
    const secrets = createLoginSecrets({ secret: Buffer.alloc(32, 1), chainId: 31_337, nowMs });
    const used: string[] = [];
    const deps = {
      ...{ secrets, chainId: 31337, sessionTtlSeconds: 3_600, nowMs },
      ledger: { useNonce: ({ nonce }: { nonce: string }) => Promise.resolve(used.push(nonce) > 0) },
      contractSignatures: { isValid: () => Promise.resolve(false) },
    };
    const message = createSiweMessage({
      ...{ address: account.address, chainId: 31337, domain, uri: `https://${domain}`, version: '1' },
      ...{ nonce: secrets.issueNonce().nonce, issuedAt: new Date(nowMs()), statement: 'Sign in.' },
      expirationTime: new Date(nowMs() + 60_000),
    });
    const signature = await account.signMessage({ message });
    const counts = await runFuzz({
      input: (random) =>
        random.below(4) === 0
          ? { message, signature: mutateText(signature, random) }
          : { message: mutateText(message, random), signature },
      async check(login) {
        // As the route reads it.
        const read = loginSchema.safeParse(login);
        if (!read.success) return 'not a login';
        const before = used.length;
        try {
          const session = await logIn(deps, {
            message: login.message,
            signature: login.signature as Hex,
            domains: [domain],
          });
          expect(login.message).toBe(message);
          expect(session.payer).toBe(account.address.toLowerCase());
          return 'signed in';
        } catch (error) {
          expect(used.length).toBe(before);
          throw error;
        }
      },
    });
    expect(counts.get('invalid_login')).toBeGreaterThan(0);
    expect(counts.get('not a login')).toBeGreaterThan(0);
  });
});

const signature = `0x${'1b'.repeat(65)}`;
const shared = {
  ...{ name: 'a', metadata: { team: ['x'] }, models: ['sim-small'], budget: '1000', budget_duration: '1d' },
};
const limits = { rpm_limit: 5, tpm_limit: 500, duration: '30d', manages: false };
const litellm = { key_alias: 'a', models: [], metadata: {}, max_budget: 1.5, budget_duration: '30d', duration: '1mo' };
const bodies: [[z.ZodType, object], ...[z.ZodType, object][]] = [
  [createKeySchema, { ...shared, ...limits, token: 'USDC', mode: 'channel' }],
  [changeKeySchema, { ...shared, ...limits, expires_at: '2027-01-01T00:00:00Z' }],
  [createProjectSchema, { ...shared, token: 'USDC' }],
  [changeProjectSchema, shared],
  [headroomSchema, { channelId: `0x${'77'.repeat(32)}`, cumulativeAmount: '1000', signature }],
  [loginSchema, { message: 'a message', signature }],
  [generateKeySchema, { ...litellm, user_id: testPayer, token: 'USDC' }],
  [updateKeySchema, { ...litellm, key: 'key_1' }],
  [deleteKeysSchema, { keys: ['key_1', `ap_sk_${'x'.repeat(43)}`] }],
];

/** A request with this body; what a reader of bodies looks at, and no socket. */
function requestWith(text: string): IncomingMessage {
  const bytes = Buffer.from(text);
  const headers = { 'content-type': 'application/json', 'content-length': String(bytes.length) };
  return Object.assign(Readable.from([bytes]), { headers }) as unknown as IncomingMessage;
}

function mutateBody(random: Random): { schema: z.ZodType; text: string } {
  const [schema, body] = random.pick(bodies);
  const text = JSON.stringify(random.below(4) === 0 ? body : mutateJson(body, random));
  return { schema, text: random.below(3) === 0 ? mutateText(text, random) : text };
}

describe('a mutated body', { timeout: fuzzTimeoutMs }, () => {
  it('of a key request is read or refused', async () => {
    const reader = createJsonReader();
    const counts = await runFuzz({
      parallel: 16,
      input: mutateBody,
      async check({ schema, text }) {
        await reader.read(requestWith(text), schema);
        return 'read';
      },
    });
    expect([...counts.keys()].toSorted()).toEqual(['invalid_json', 'invalid_request', 'read']);
  });

  it('makes or changes no key beyond what its payer may, and spends nothing', async () => {
    const channel = someKeyChannel();
    const before = structuredClone(channel);
    const deps = createManageDeps([channel]);
    const [create, change] = bodies;
    const stranger = someKey({ keyId: 'key_2', payer: `0x${'cd'.repeat(20)}` });
    await deps.ledger.putKey(stranger);
    const counts = await runFuzz({
      input: (random) => ({ isNew: random.below(2) === 0, body: mutateBody(random).text }),
      async check({ isNew, body }) {
        const schema = isNew ? create[0] : change?.[0];
        let json: unknown;
        try {
          json = JSON.parse(body);
        } catch {
          return 'no JSON';
        }
        const read = schema?.safeParse(json);
        if (!read?.success) return 'not a key';
        const key = isNew
          ? (await createKey(deps, { payer: testPayer, createdBy: 'payer' }, createKeySchema.parse(json))).key
          : await changeKey(deps, someKey(), changeKeySchema.parse(json));
        expect(key.payer).toBe(testPayer);
        expect(testTokens.map(({ address }) => address)).toContain(key.token);
        deps.keys.delete(key.keyId);
        return 'a key';
      },
    });
    expect(counts.get('a key')).toBeGreaterThan(0);
    expect(channel).toEqual(before);
    expect([...deps.keys.values()]).toEqual([stranger]);
  });
});
