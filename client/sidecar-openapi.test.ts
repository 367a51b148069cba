import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { startSidecar, type Sidecar } from './sidecar.ts';
import { describeSidecar } from './sidecar-openapi.ts';
import { sidecarRoutes } from './sidecar-routes.ts';
import { startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seedWallet, walletKey } from './testing/seed-wallet.ts';

interface Media {
  schema?: { $ref?: string };
  example?: unknown;
}
interface Operation {
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
  security: object[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Record<string, unknown>> };
}

const proxyToken = 'a-token-of-this-machine';
let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let sidecar: Sidecar;
let document: Document;

beforeAll(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  const place = { relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir };
  sidecar = await startSidecar({ ...place, port: 0, proxyToken });
  document = (await (await fetch(`${sidecar.url}/openapi.json`)).json()) as Document;
});
afterAll(async () => {
  await sidecar.close();
  await double.close();
  await seeded.remove();
});

/** The schema of a JSON answer, as the document has it. */
function schemaOf(media: Media | undefined): z.ZodType {
  const name = media?.schema?.$ref?.replace('#/components/schemas/', '') ?? '';
  return z.fromJSONSchema(document.components.schemas[name] ?? media?.schema ?? {});
}

/** What stands for the parameters of a path. */
const filled = (path: string) => path.replace('{path}', 'models').replace('{asset}', 'swagger-ui.css');

describe('the OpenAPI document of the sidecar', () => {
  it('is OpenAPI 3.1, with and without a token', async () => {
    expect(document.openapi).toBe('3.1.0');
    for (const hasToken of [true, false]) {
      const { valid, errors } = await new Validator().validate(describeSidecar({ hasToken }));
      expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    }
  });

  it('has every route, and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(sidecarRoutes.map(({ method, path }) => `${method} ${path}`).toSorted());
  });

  it.each(sidecarRoutes)('is kept to by $method $path', async ({ method, path, isOpen }) => {
    const operation = document.paths[path]?.[method.toLowerCase()];
    if (!operation) throw new Error('not described');
    expect(operation.security.length > 0).toBe(!isOpen);
    const url = sidecar.url + (method === 'POST' ? path.replace('{path}', 'chat/completions') : filled(path));
    const example = { model: 'paid', messages: [{ role: 'user', content: 'hi' }] };
    const body = method === 'POST' ? { body: JSON.stringify(example) } : {};
    const requested = operation.requestBody?.content['application/json'];
    if (method === 'POST') expect(schemaOf(requested).safeParse(example).error).toBeUndefined();

    const stranger = await fetch(url, { method, ...body });
    expect(stranger.status).toBe(isOpen ? 200 : 401);
    const response = await fetch(url, { method, ...body, headers: { authorization: `Bearer ${proxyToken}` } });
    expect(response.status).toBe(200);
    for (const answer of [stranger, response]) {
      const { content = {} } = operation.responses[String(answer.status)] ?? operation.responses['default'] ?? {};
      const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
      expect(Object.keys(content)).toContain(type in content ? type : '*/*');
      if (type === 'application/json')
        expect(schemaOf(content[type]).safeParse(await answer.json()).error).toBeUndefined();
      else await answer.text();
    }
  });

  it('has an example that is a call, and the headers that calls answer with', async () => {
    const operation = document.paths['/v1/chat/completions']?.['post'];
    const example = operation?.requestBody?.content['application/json']?.example as object;
    const response = await fetch(`${sidecar.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${proxyToken}` },
      body: JSON.stringify({ ...example, model: 'paid' }),
    });
    await response.text();
    const { headers } = operation?.responses['200'] as { headers: object };
    for (const name of Object.keys(headers)) expect(response.headers.get(name), name).not.toBeNull();
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/wallet/', 404],
    ['GET', '/v1/', 404],
    ['GET', '/docs/package.json', 404],
    ['GET', '/docs/..%2fpackage.json', 404],
    ['GET', '/key/generate', 404],
    ['DELETE', '/v1/models', 405],
    ['POST', '/wallet', 405],
    ['POST', '/docs', 405],
  ])('does not have %s %s', async (method, path, status) => {
    const response = await fetch(sidecar.url + path, { method, headers: { authorization: `Bearer ${proxyToken}` } });
    expect(response.status).toBe(status);
  });
});

describe('the page of the document', () => {
  it('loads nothing from elsewhere, and nothing that its policy forbids', async () => {
    const response = await fetch(`${sidecar.url}/docs`);
    const html = await response.text();
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(html).not.toMatch(/<style|<script(?! src=")|\sstyle=|\son[a-z]+=/);
    const references = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, reference]) => reference ?? '');
    expect(references).toHaveLength(4);
    for (const reference of references) {
      expect(reference).toMatch(/^\/docs\//);
      const file = await fetch(sidecar.url + reference);
      expect([reference, file.status]).toEqual([reference, 200]);
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(50);
    }
  });

  it('reads the document of this sidecar, and shows it to nobody', async () => {
    const start = await (await fetch(`${sidecar.url}/docs/start.js`)).text();
    expect(start).toContain("url: '/openapi.json'");
    expect(start).toContain('validatorUrl: null');
  });
});
