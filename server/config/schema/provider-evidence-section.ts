import { z } from 'zod';
import { providerKeyPattern, type ProviderKey } from '../../../protocol/evidence/provider-signature.ts';
import { measurementNames, type Measurements } from '../../../protocol/evidence/verify-quote.ts';
import { countSchema, httpUrlSchema } from './words.ts';

const keySchema = z
  .string()
  .regex(providerKeyPattern, 'must be an address (0x and 40 hexadecimal digits), or ed25519: and 64 hexadecimal digits')
  .transform((key) => key.toLowerCase() as ProviderKey);

const measurement = z
  .string()
  .regex(/^(?:[0-9a-f]{64}|[0-9a-f]{96})$/i, 'must be 64 (SGX) or 96 (TDX) hexadecimal digits')
  .transform((value) => value.toLowerCase())
  .optional();

const measurementsSchema = z
  .strictObject(
    Object.fromEntries(measurementNames.map((name) => [name, measurement.describe('As the quote has it.')])) as Record<
      keyof Measurements,
      typeof measurement
    >,
  )
  .refine(({ mrTd, mrEnclave }) => mrTd !== undefined || mrEnclave !== undefined, 'must name mrTd or mrEnclave')
  .transform(
    (value) => Object.fromEntries(Object.entries(value).filter(([, hex]) => hex !== undefined)) as Measurements,
  );

/** What asks a provider for more than its answer. */
const asked = {
  url: httpUrlSchema
    .optional()
    .describe('Where `/signature/{id}` and `/attestation/report` are. Default: the provider’s base URL.'),
  timeoutMs: countSchema(30_000)
    .default(3_000)
    .describe('How long an answer waits for its evidence; then its tier is what could be shown without.'),
};

const tcbStatuses = [
  ...['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'],
  ...['OutOfDate', 'OutOfDateConfigurationNeeded'],
] as const;

/** `evidence` of a provider. A key or a measurement that an answer brings itself proves nothing: what is trusted stands here. */
export const providerEvidenceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z
      .literal('signature')
      .describe('It signs SHA-256 of the exact request and answer (`GET /signature/{id}`): `provider-signed`.'),
    ...asked,
    keys: z.array(keySchema).min(1).max(16).describe('Its keys: addresses (EIP-191), or `ed25519:…`.'),
  }),
  z.strictObject({
    kind: z
      .literal('tee')
      .describe(
        'It signs by a key that an SGX or TDX quote binds to a machine (`GET /attestation/report`): `tee-attested`.',
      ),
    ...asked,
    keys: z
      .array(keySchema)
      .max(16)
      .default([])
      .describe('Keys that are good for `provider-signed` where the quote is not.'),
    measurements: z
      .array(measurementsSchema)
      .min(1)
      .max(16)
      .describe('What may run there: a quote has to agree with one of them in all that it names.'),
    tcbStatuses: z
      .array(z.enum(tcbStatuses))
      .min(1)
      .default(['UpToDate'])
      .describe('States of the platform that are good enough, in Intel’s words.'),
    pccsUrl: httpUrlSchema
      .optional()
      .describe(
        'Where Intel’s collateral is had (PCCS). Default: the report’s own `quote_collateral`; its signatures are checked either way.',
      ),
    attestationMinutes: countSchema(1_380)
      .default(60)
      .describe('How long a quote that was checked is good for further answers of the same key.'),
    rootCa: z
      .string()
      .regex(/^-----BEGIN CERTIFICATE-----[\s\S]{1,8000}-----END CERTIFICATE-----\s*$/, 'must be a certificate (PEM)')
      .optional()
      .describe('Another root certificate than Intel’s, PEM: for hardware before its release, and for tests.'),
  }),
  z.strictObject({
    kind: z
      .literal('verathos')
      .describe(
        'Verathos’ commitments, where the answer has them, recomputed: `commitment-checked`. They come for `include_proof`, which the relay sets where they are demanded. Its own `proof_verified` counts for nothing.',
      ),
  }),
]);
