import { z } from 'zod';
import { findProvider } from '../../providers/catalogue.ts';
import { providerAuthSchema } from './provider-auth-section.ts';
import { providerEvidenceSchema } from './provider-evidence-section.ts';
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
  dialect: z
    .string()
    .refine((name) => findProvider(name) !== undefined, 'is no name of the catalogue')
    .optional()
    .describe(
      'The provider of the catalogue whose wire it speaks: `anthropic` has its key sent as `x-api-key`. Default: by its name, else by the host of `baseUrl`.',
    ),
  auth: providerAuthSchema.optional().describe('How the relay pays it. Default: `bearer`.'),
  evidence: providerEvidenceSchema
    .optional()
    .describe('What supports its answers beside the relay’s signature. Default: nothing.'),
  models: z
    .record(nameSchema, nameSchema)
    .optional()
    .describe('What this provider calls a model, by the name that deployments use.'),
  regions: z
    .record(idPartSchema, z.strictObject(endpointShape))
    .optional()
    .describe('Endpoints of their own, by the deployment’s `region`.'),
});
