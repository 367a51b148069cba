import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ProviderQuirks } from '../call/types.ts';

const factsSchema = z.strictObject({
  /** As `autopay.yaml` names it. */
  name: z.string().regex(/^[a-z0-9-]+$/),
  aliases: z.array(z.string()),
  /** What LiteLLM writes before the slash of `litellm_params.model`. */
  litellm: z.array(z.string()),
  /** What LiteLLM adds to an `api_base` that is a host only. */
  litellmPath: z.string().regex(/^\//).optional(),
  /** URL up to and with `/v1`; null where each customer has its own. */
  baseUrl: z.url().nullable(),
  /** An environment variable that stands for `baseUrl`. */
  baseUrlEnv: z.string().optional(),
  /** The environment variable that the provider's own documentation names; null for none. */
  keyEnv: z.string().nullable(),
  /** What its keys begin with. */
  keyPrefix: z.string().optional(),
  /** The member that bounds the output. */
  outputLimit: z.enum(['max_completion_tokens', 'max_tokens']),
  /** Whether it takes `stream_options.include_usage`. */
  streamOptions: z.enum(['taken', 'refused']).default('taken'),
  /** Whether `completion_tokens` hold the reasoning tokens. */
  reasoning: z.enum(['inside', 'beside']).default('inside'),
  /** The member of an error's body that tells what is wrong. OpenAI's `error` is read everywhere. */
  errors: z.enum(['error', 'message', 'detail']).default('error'),
  /** The endpoints that it has, where that is known; the others are not tried. */
  endpoints: z.array(z.string().regex(/^\/v1\//)).optional(),
  /** Whether its `/v1/messages` takes the key as `x-api-key`, with `anthropic-version`. */
  messages: z.enum(['bearer', 'x-api-key']).default('bearer'),
  /** Whether `GET /models` lists the names that calls take. */
  modelList: z.enum(['as called', 'of others']).default('as called'),
  /** Where the facts come from. */
  source: z.url(),
  /** The facts that were found there, or at users who met them; the others are what OpenAI's wire has. */
  checked: z.array(z.string()),
  note: z.string().optional(),
});

/** What is known of a provider. */
export type ProviderFacts = z.output<typeof factsSchema>;

/** All that are known: catalogue.json. Facts belong there, not into code. */
export const catalogue: readonly ProviderFacts[] = z
  .array(factsSchema)
  .parse(JSON.parse(readFileSync(new URL('catalogue.json', import.meta.url), 'utf8')));

const byName = new Map(catalogue.flatMap((facts) => [facts.name, ...facts.aliases].map((name) => [name, facts])));
const byLiteLlmName = new Map(catalogue.flatMap((facts) => facts.litellm.map((name) => [name, facts])));

/** The provider of a name, or of one of its other names. Case does not count. */
export function findProvider(name: string): ProviderFacts | undefined {
  return byName.get(name.toLowerCase());
}

/** The provider that LiteLLM means by what stands before the slash of a model. */
export function findLiteLlmProvider(prefix: string): ProviderFacts | undefined {
  return byLiteLlmName.get(prefix);
}

/** The provider whose endpoint a URL is of. Those on this machine are many: they are nobody's. */
export function findProviderOfUrl(url: string): ProviderFacts | undefined {
  const { host, hostname } = new URL(url);
  if (isLocalHost(hostname)) return undefined;
  return catalogue.find(({ baseUrl }) => baseUrl !== null && new URL(baseUrl).host === host);
}

/** Whether a host is this machine. */
export function isLocalHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

/** What the life of a call has to know of a provider. */
export function quirksOf(facts: ProviderFacts): ProviderQuirks {
  return {
    outputLimitParameter: facts.outputLimit,
    takesStreamOptions: facts.streamOptions === 'taken',
    reasoningBeside: facts.reasoning === 'beside',
    errorMember: facts.errors,
    ...(facts.endpoints && { endpoints: facts.endpoints }),
    ...(facts.messages === 'x-api-key' && { anthropicMessages: true }),
  };
}
