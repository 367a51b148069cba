import { z } from 'zod';
import { providerAuthSchema } from './provider-auth-section.ts';
import { httpUrlSchema, idPartSchema, nameSchema, variableSchema } from './words.ts';

const endpointShape = {
  baseUrl: httpUrlSchema
    .optional()
    .describe('URL up to and with `/v1`. Default: the catalogue’s, for a name that is in it.'),
  apiKeyEnv: variableSchema
    .optional()
    .describe(
      'Environment variable with the key, sent as `Authorization: Bearer`. Default: the catalogue’s, where `baseUrl` is the catalogue’s too.',
    ),
};

/** One of `providers`: who answers calls, and where. */
export const providerSchema = z.strictObject({
  name: idPartSchema.describe('As deployments and receipts name it. A name of the catalogue needs nothing more.'),
  ...endpointShape,
  auth: providerAuthSchema.optional().describe('How the relay pays it. Default: `bearer`.'),
  models: z
    .record(nameSchema, nameSchema)
    .optional()
    .describe('What this provider calls a model, by the name that deployments use.'),
  regions: z
    .record(idPartSchema, z.strictObject(endpointShape))
    .optional()
    .describe('Endpoints of their own, by the deployment’s `region`.'),
});
