import { z } from 'zod';
import { countSchema, httpUrlSchema, variableSchema } from './words.ts';

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

/** A token must not cross a network in clear. */
const serviceUrlSchema = httpUrlSchema.refine((value) => {
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || loopbackHosts.includes(hostname);
}, 'must be https, unless the service is on this host');

const pinningServiceSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 lower-case letters, digits or "-"')
    .describe('What the relay calls it.'),
  endpoint: serviceUrlSchema.describe('Of its API, without `/pins`: https, or http on the relay’s own host.'),
  tokenEnv: variableSchema.describe('Environment variable with its access token.'),
  intervalSeconds: countSchema(604_800)
    .default(3600)
    .describe('How often it is asked for the newest block, which reaches all before it.'),
  origins: z
    .array(z.string().regex(/^\/[\x21-\x7e]{1,511}$/, 'must be a multiaddress, such as /dns4/…/tcp/4001/p2p/…'))
    .max(20)
    .default([])
    .describe('Multiaddresses of nodes that have the blocks: where the service fetches them first.'),
});

/** `audit.ipfs`: who keeps the blocks of the log besides the relay. */
export const ipfsSchema = z.strictObject({
  apiUrl: httpUrlSchema
    .optional()
    .describe(
      'RPC API of an IPFS node (Kubo), such as http://127.0.0.1:5001. Default: `IPFS_API_URL`; without either, none.',
    ),
  authorizationEnv: variableSchema
    .optional()
    .describe('Environment variable with the `Authorization` header that the node wants: `Bearer …` or `Basic …`.'),
  required: z.boolean().default(false).describe('Whether anchors wait until the node has the blocks. Calls never do.'),
  intervalSeconds: countSchema(3600).default(5).describe('How often it is looked for blocks that the node lacks.'),
  timeoutSeconds: countSchema(600).default(30).describe('Of one question to the node or a service.'),
  recheckSeconds: countSchema(2_592_000)
    .default(86_400)
    .describe('How often it is looked whether the node still has a block, and its pin.'),
  services: z
    .array(pinningServiceSchema)
    .max(4)
    .default([])
    .describe('Services that speak the IPFS Pinning Service API.'),
});
