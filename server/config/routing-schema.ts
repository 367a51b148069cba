import { z } from 'zod';
import { evidenceTiers } from '../../protocol/receipt/call-receipt.ts';
import { strategyNames } from '../call/routing-terms.ts';
import { scriptNames } from '../routing/detect-script.ts';
import { countSchema, nameSchema } from './schema/words.ts';

const durationMs = countSchema(3_600_000);
const modelNames = z.array(nameSchema).min(1).max(8);
const tag = z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 printable ASCII characters without spaces');
const tags = z.array(tag).min(1).max(16);
const retries = z.number().int().min(0).max(7);

const timeouts = z.strictObject({
  firstByteMs: durationMs
    .optional()
    .describe('Of a stream, until its first chunk. Default: `attemptMs`, or else `limits.headersTimeoutMs`.'),
  idleMs: durationMs.optional().describe('Between two pieces of an answer. Default: `limits.idleTimeoutMs`.'),
  attemptMs: durationMs
    .optional()
    .describe(
      'Of JSON, the whole answer, its headers too; of a stream, until its first chunk. Default: `limits.headersTimeoutMs` for the headers, and `limits.callTimeoutMs`, which bounds the call.',
    ),
});

/** What may be said for requests: none of it makes a call dearer than it is quoted. */
export const defaultMembers = [
  ...(['temperature', 'top_p', 'top_k', 'min_p', 'seed', 'stop', 'frequency_penalty', 'presence_penalty'] as const),
  ...(['repetition_penalty', 'reasoning_effort', 'verbosity', 'parallel_tool_calls', 'user'] as const),
] as const;

const defaultValue = z.union([z.string().max(256), z.number(), z.boolean(), z.array(z.string().max(256)).max(16)]);

/** Keys of a deployment that concern routing. */
export const deploymentRouting = {
  order: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(0)
    .describe('Lower ones come first, whatever the strategy; equal ones are spread by it.'),
  weight: countSchema(1_000_000)
    .optional()
    .describe('Its share of the calls with `simple-shuffle`. Default: `rpm`, or `tpm`.'),
  rpm: countSchema(10_000_000).optional().describe('The most calls that are sent there in a minute.'),
  tpm: countSchema(10_000_000_000).optional().describe('The most tokens of a minute, prompts and answers.'),
  maxConcurrentCalls: countSchema(100_000).optional().describe('The most calls at once.'),
  tools: z.boolean().default(true).describe('Whether it takes tools.'),
  vision: z.boolean().default(true).describe('Whether it takes images.'),
  evidenceTier: z
    .enum(evidenceTiers)
    .optional()
    .describe(
      'What it can show of its answers. Default: what the `evidence` of its provider can; more is refused. Receipts state what was checked, whatever stands here.',
    ),
  tags: tags
    .optional()
    .describe(
      'Requests with one of these tags go here; without a deployment of their tags, to those that have none, or `default`.',
    ),
  timeouts: timeouts.optional().describe('Instead of the route’s.'),
  defaults: z
    .partialRecord(z.enum(defaultMembers), defaultValue)
    .optional()
    .describe(
      `Members of the request that go there where the client sends none: ${defaultMembers.join(', ')}. Each as far as the endpoint has it.`,
    ),
};

/** Keys of a route that concern routing. */
export const routeRouting = {
  strategy: z.enum(strategyNames).optional().describe('How calls are spread. Default: `routing.strategy`.'),
  fallbacks: modelNames
    .optional()
    .describe('Routes that answer, at their own price, where all deployments fail. Default: `routing.fallbacks`.'),
  contextWindowFallbacks: modelNames.optional().describe('The same where the prompt is too long for the model.'),
  contentPolicyFallbacks: modelNames.optional().describe('The same where the provider refuses the content.'),
  retries: retries
    .optional()
    .describe('How often a call goes to deployments that have failed it before. Default: `routing.retries`.'),
  hedgeAfterMs: durationMs
    .optional()
    .describe(
      'A second deployment is asked too where the first has not answered by then. The slower one is given up, uncharged.',
    ),
  timeouts: timeouts.optional().describe('How long an attempt may take.'),
  minimumEvidenceTier: z
    .enum(evidenceTiers)
    .optional()
    .describe(
      'Evidence that each answer must have, those of fallbacks too, and of the later targets of a rule. One with less is not charged: another deployment is asked, or, of a stream that has begun, it ends with an error.',
    ),
  auto: z
    .strictObject({
      tools: z.boolean().optional().describe('Only what takes tools.'),
      vision: z.boolean().optional().describe('Only what takes images.'),
      contextTokens: countSchema(100_000_000).optional().describe('Only models with such a context.'),
      region: nameSchema.optional().describe('Only deployments of this region.'),
      evidenceTier: z
        .enum(evidenceTiers)
        .optional()
        .describe('Only deployments that can show as much; what their answers show is held against it.'),
      among: z
        .array(nameSchema)
        .min(1)
        .max(256)
        .optional()
        .describe('Only these routes. Default: all that cost something.'),
    })
    .optional()
    .describe('Instead of deployments and a price: the cheapest route that has what this and the request need.'),
};

const pattern = z.string().min(1).max(512);

const conditionSchema = z.strictObject({
  models: z
    .array(nameSchema)
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Of calls for these names. Default: routes with `auto`, so that what is asked for by name is what is sold.',
    ),
  pattern: pattern
    .optional()
    .describe('RE2 syntax, matched in linear time against the first 8,192 characters of what the user said last.'),
  keywords: z
    .array(z.string().min(1).max(128))
    .min(1)
    .max(64)
    .optional()
    .describe('One of them stands there, in any case.'),
  minPromptCharacters: countSchema(1_000_000_000).optional().describe('All messages together have as many.'),
  maxPromptCharacters: countSchema(1_000_000_000).optional().describe('And not more than these.'),
  scripts: z
    .array(z.enum(scriptNames))
    .min(1)
    .max(10)
    .optional()
    .describe('The script that most of its letters are of.'),
  tools: z.boolean().optional().describe('Whether the request has tools.'),
  images: z.boolean().optional().describe('Whether it has images.'),
  tags: tags
    .optional()
    .describe(
      'One of them is in `x-autopay-tags`, `x-litellm-tags`, or `tags` or `metadata.tags` of the body, which go no further.',
    ),
  headers: z
    .record(z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be a header’s name in lower case'), pattern)
    .optional()
    .describe('RE2 patterns by the names of headers.'),
});

/** The top-level key `routing`: what holds for every route that says nothing else. */
export const routingSchema = z.strictObject({
  strategy: z
    .enum(strategyNames)
    .default('order')
    .describe('How calls are spread over deployments; LiteLLM’s names mean the same. `order`: as they are listed.'),
  retries: retries.default(0).describe('How often a call goes to deployments that have failed it before.'),
  backoff: z
    .strictObject({
      firstMs: durationMs
        .default(250)
        .describe('Before the first repetition; twice as long each time, less up to half by chance.'),
      mostMs: durationMs.default(8_000).describe('And at most so long.'),
      retryAfterMostMs: durationMs.default(20_000).describe('The longest Retry-After that a call waits for.'),
    })
    .prefault({})
    .describe('How long a call waits before it is repeated.'),
  cooldown: z
    .strictObject({
      allowedFails: z
        .number()
        .int()
        .min(0)
        .max(10_000)
        .default(3)
        .describe('After more failures within a minute a deployment rests.'),
      seconds: countSchema(3_600)
        .default(5)
        .describe('So long; then one call tries it, and if that fails it rests twice as long.'),
      mostSeconds: countSchema(86_400).default(300).describe('And at most so long.'),
      refusedKeySeconds: countSchema(86_400)
        .default(60)
        .describe('How long a provider’s region rests, with all its models, that refused the relay’s key.'),
    })
    .prefault({})
    .describe('When deployments rest.'),
  fallbacks: modelNames.optional().describe('Of routes that name none.'),
  rules: z
    .array(
      z.strictObject({
        name: tag.describe('Told in `x-autopay-rule`.'),
        when: conditionSchema.describe('All of it has to hold.'),
        targets: modelNames.describe('The routes that answer, in this order.'),
      }),
    )
    .max(256)
    .default([])
    .describe('Which requests go where; the first match wins.'),
  healthChecks: z
    .strictObject({
      probe: z
        .enum(['none', 'models'])
        .default('none')
        .describe(
          'Deployments are judged by their calls. `models` also asks GET /models of providers that rest, which costs nothing.',
        ),
      intervalSeconds: countSchema(86_400).default(30).describe('How often.'),
    })
    .prefault({})
    .describe('How a resting deployment is found to be well.'),
  warmUp: z.boolean().default(false).describe('Opens a connection to each provider at the start, by GET /models.'),
});
