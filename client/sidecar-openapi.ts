import { z } from 'zod';
import { walletDescriptionSchema } from './describe-wallet.ts';
import { sidecarRoutes } from './sidecar-routes.ts';

/** What `GET /healthz` tells. */
export const sidecarHealthSchema = z.strictObject({ status: z.literal('ok'), relayUrl: z.url() });

const errorSchema = z.object({
  error: z.looseObject({
    message: z.string().describe('says what to do'),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().describe('stable; docs/PROTOCOL.md lists them'),
  }),
});

/** What the sidecar looks at; everything else goes on as it came. */
const chatRequestSchema = z.looseObject({
  model: z
    .string()
    .describe('an id of GET /v1/models')
    .meta({ examples: ['sim-small'] }),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })).min(1),
  stream: z.boolean().optional().describe('answer as server-sent events'),
  max_completion_tokens: z.int().positive().optional().describe('bounds what the call can cost'),
});

type NameOf<Route> = Route extends { method: infer Method extends string; path: infer Path extends string }
  ? `${Method} ${Path}`
  : never;
/** Such as `GET /wallet`; a route without a description does not compile. */
type RouteName = NameOf<(typeof sidecarRoutes)[number]>;
type Operation = { tag: 'calls' | 'wallet' | 'sidecar'; summary: string; responses: object } & Record<string, unknown>;

const json = (schema: string, description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
});
const anyJson = (description: string, headers: object = {}) => ({
  description,
  headers,
  content: { 'application/json': { schema: { type: 'object' } } },
});
const file = (contentType: string, description: string) => ({ description, content: { [contentType]: {} } });
const header = (description: string) => ({ description, schema: { type: 'string' } });
const pathParameter = (name: string, description: string) => ({
  parameters: [{ name, in: 'path', required: true, description, schema: { type: 'string' } }],
});
const receiptHeaders = {
  'x-autopay-call-id': header('id of the call: for autopay replay and autopay audit verify'),
  'x-autopay-receipt': header('the signed receipt, which the sidecar has checked and stored'),
};
const refusals = {
  '402': json(
    'Error',
    "the wallet's limits, its money or the relay's terms forbid it; nothing was signed above the quote",
  ),
  '502': json('Error', 'the relay cannot be reached'),
  default: json('Error', "the relay's refusal, as it came"),
};

const operations: Record<RouteName, Operation> = {
  'POST /v1/chat/completions': {
    tag: 'calls',
    summary: 'Make a call and pay for it',
    description:
      "OpenAI's chat completions. The sidecar signs one voucher for the call, or none for a free model. Of a stream, the receipt is a " +
      'comment line before `[DONE]`. An `Idempotency-Key` is kept, or made.',
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: { $ref: '#/components/schemas/ChatRequest' },
          example: {
            model: 'sim-small',
            messages: [{ role: 'user', content: 'Say hello.' }],
            max_completion_tokens: 20,
          },
        },
      },
    },
    responses: {
      '200': {
        description: 'the answer',
        headers: receiptHeaders,
        content: {
          'application/json': { schema: { type: 'object' } },
          'text/event-stream': { schema: { type: 'string' } },
        },
      },
      ...refusals,
    },
  },
  'GET /v1/models': {
    tag: 'calls',
    summary: 'What the relay sells, with prices',
    responses: { '200': anyJson("OpenAI's list of models"), ...refusals },
  },
  'GET /v1/{path}': {
    tag: 'calls',
    summary: 'Any other route of the relay',
    ...pathParameter('path', 'what stands behind /v1/, slashes included'),
    responses: { '200': anyJson("the relay's answer"), ...refusals },
  },
  'POST /v1/{path}': {
    tag: 'calls',
    summary: 'Any other route of the relay; paid for if it is a call that costs something',
    ...pathParameter('path', 'what stands behind /v1/, slashes included'),
    requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
    responses: { '200': anyJson("the relay's answer", receiptHeaders), ...refusals },
  },
  'GET /wallet': {
    tag: 'wallet',
    summary: 'Balance, channel, what is spent today, and limits',
    responses: { '200': json('Wallet', 'the wallet'), ...refusals },
  },
  'GET /healthz': {
    tag: 'sidecar',
    summary: 'Whether the sidecar runs; the relay is not asked',
    responses: { '200': json('Health', 'it runs'), default: json('Error', 'a request of a foreign web page') },
  },
  'GET /openapi.json': {
    tag: 'sidecar',
    summary: 'This document',
    responses: { '200': anyJson('OpenAPI 3.1'), default: json('Error', 'a request of a foreign web page') },
  },
  'GET /docs': {
    tag: 'sidecar',
    summary: 'This document as a page (Swagger UI)',
    responses: { '200': file('text/html', 'the page'), default: json('Error', 'a request of a foreign web page') },
  },
  'GET /docs/{asset}': {
    tag: 'sidecar',
    summary: 'A file of that page',
    ...pathParameter('asset', 'such as swagger-ui.css'),
    responses: { '200': file('*/*', 'the file'), '404': json('Error', 'there is no such file') },
  },
};

/**
 * The OpenAPI 3.1 document of a sidecar, made from the table of its routes.
 * @param options.hasToken whether clients have to give AUTOPAY_PROXY_TOKEN.
 */
export function describeSidecar({ hasToken }: { hasToken: boolean }): Record<string, unknown> {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, isOpen } of sidecarRoutes) {
    const { tag, ...operation } = operations[`${method} ${path}` as RouteName];
    const security = hasToken && !isOpen ? [{ bearer: [] }, { apiKey: [] }] : [];
    paths[path] = { ...paths[path], [method.toLowerCase()]: { tags: [tag], ...operation, security } };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AutoPayLLM sidecar',
      version: '1',
      description:
        'Pays for LLM calls from a wallet on this machine: an OpenAI client uses it as base URL (with `/v1`). ' +
        'Amounts are strings of atomic units.',
    },
    servers: [{ url: '/' }],
    tags: [{ name: 'calls' }, { name: 'wallet' }, { name: 'sidecar' }],
    paths,
    components: {
      schemas: {
        ChatRequest: jsonSchemaOf(chatRequestSchema),
        Wallet: jsonSchemaOf(walletDescriptionSchema),
        Health: jsonSchemaOf(sidecarHealthSchema),
        Error: jsonSchemaOf(errorSchema),
      },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'the value of AUTOPAY_PROXY_TOKEN' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'the value of AUTOPAY_PROXY_TOKEN' },
      },
    },
  };
}

/** OpenAPI 3.1 takes JSON Schema as it is, and says itself which version. */
function jsonSchemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema);
  return rest;
}
