import { z } from 'zod';
import { isObject } from '../../../protocol/text/json-object.ts';
import { countSchema, nameSchema } from '../schema/words.ts';

/** LiteLLM takes numbers in quotes too. */
const seconds = z.coerce.number().positive();
const tokens = z.coerce.number().pipe(countSchema(100_000_000));
const fraction = z.coerce.number().positive();
const wholes = z.coerce.number().int().min(0);
const fallbackList = z.array(z.record(z.string(), z.array(nameSchema))).nullish();
const cost = z.union([z.number().min(0), z.string().regex(/^[0-9.eE+-]+$/)]);

/** A key without a value says nothing, in LiteLLM as here. */
const withoutNulls = (value: unknown): unknown =>
  isObject(value) ? Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null)) : value;

const paramsSchema = z.looseObject({
  model: nameSchema,
  custom_llm_provider: z.string().optional(),
  api_key: z.string().nullish(),
  api_base: z.string().nullish(),
  base_url: z.string().nullish(),
  order: wholes.optional(),
  weight: fraction.optional(),
  rpm: wholes.optional(),
  tpm: wholes.optional(),
  max_parallel_requests: wholes.optional(),
  timeout: seconds.optional(),
  stream_timeout: seconds.optional(),
  num_retries: wholes.optional(),
  tags: z.array(z.string()).optional(),
  max_tokens: tokens.nullish(),
  max_completion_tokens: tokens.nullish(),
  input_cost_per_token: cost.optional(),
  output_cost_per_token: cost.optional(),
});

const infoSchema = z.looseObject({
  id: z.coerce.string().optional(),
  mode: z.string().nullish(),
  rpm: wholes.optional(),
  tpm: wholes.optional(),
  supports_function_calling: z.boolean().nullish(),
  supports_vision: z.boolean().nullish(),
  max_input_tokens: tokens.optional(),
  max_output_tokens: tokens.optional(),
  max_tokens: tokens.optional(),
  output_vector_size: z.coerce.number().pipe(countSchema(65_536)).nullish(),
});

/** Of `routing_strategy`; the relay knows each by the same name. */
const strategies = [
  ...(['simple-shuffle', 'least-busy', 'latency-based-routing', 'cost-based-routing'] as const),
  ...(['usage-based-routing', 'usage-based-routing-v2'] as const),
] as const;

/** LiteLLM takes these in either section. */
const reliability = z.looseObject({
  num_retries: wholes.nullish(),
  allowed_fails: wholes.nullish(),
  cooldown_time: seconds.nullish(),
  fallbacks: fallbackList,
  default_fallbacks: z.array(nameSchema).nullish(),
  context_window_fallbacks: fallbackList,
  content_policy_fallbacks: fallbackList,
});

/** What is read of LiteLLM's config.yaml. Its other keys are judged by their rules (litellm-keys.ts). */
export const litellmSchema = z.looseObject({
  model_list: z
    .array(
      z.looseObject({
        model_name: nameSchema,
        rpm: wholes.nullish(),
        tpm: wholes.nullish(),
        litellm_params: z.preprocess(withoutNulls, paramsSchema),
        model_info: z.preprocess(withoutNulls, infoSchema.nullish()),
      }),
    )
    .min(1),
  router_settings: reliability
    .extend({
      routing_strategy: z.enum(strategies).nullish(),
      timeout: seconds.nullish(),
      stream_timeout: seconds.nullish(),
      default_max_parallel_requests: wholes.nullish(),
      retry_after: z.coerce.number().min(0).nullish(),
      disable_cooldowns: z.boolean().nullish(),
      enable_tag_filtering: z.boolean().nullish(),
      model_group_alias: z
        .record(nameSchema, z.union([z.string(), z.looseObject({ model: z.string(), hidden: z.boolean().optional() })]))
        .nullish(),
    })
    .nullish(),
  litellm_settings: reliability.extend({ request_timeout: seconds.nullish() }).nullish(),
  general_settings: z
    .looseObject({
      max_request_size_mb: z.coerce.number().positive().max(256).nullish(),
      max_response_size_mb: z.coerce.number().positive().max(1_024).nullish(),
      global_max_parallel_requests: z.coerce.number().pipe(countSchema(100_000)).nullish(),
      background_health_checks: z.boolean().nullish(),
      health_check_interval: seconds.nullish(),
    })
    .nullish(),
  environment_variables: z.record(z.string(), z.coerce.string()).nullish(),
});

/** LiteLLM's file, as far as it is read. */
export type LiteLlmFile = z.output<typeof litellmSchema>;

/** One entry of `model_list`. */
export type LiteLlmEntry = LiteLlmFile['model_list'][number];
