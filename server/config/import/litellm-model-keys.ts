import { defaultMembers } from '../routing-schema.ts';
import type { KeyRule, KeyRules } from './foreign-keys.ts';
import { furtherCosts } from './litellm-prices.ts';

const notOffered = 'the relay has no such function';
const noSuchPrice = 'images are priced by their tokens';
const noBatches = 'batches are not sold here';
const unknownCost = 'calls could be sold below such a cost; raise the price first';
const otherTier = 'requests for another `service_tier` than `default` are refused';
const otherApi = 'the API that it is for is not spoken here';
const noHeaders = 'no such header is sent to a provider';

/** Costs stand in either section. */
const inBoth = (rules: KeyRules): KeyRules =>
  Object.fromEntries(
    Object.entries(rules).flatMap(([key, rule]) =>
      ['litellm_params', 'model_info'].map((section) => [`model_list.*.${section}.${key}`, rule]),
    ),
  );

/** What becomes of an entry of LiteLLM's `model_list`. docs/CONFIGURATION.md shows this table. */
export const modelKeys: KeyRules = {
  'model_list.*.model_name': ['honoured', 'the model that clients ask for; entries with one name are one route'],
  'model_list.*.rpm': ['honoured', '`rpm`; goes before that of `litellm_params`'],
  'model_list.*.tpm': ['honoured', '`tpm`; goes before that of `litellm_params`'],
  'model_list.*.litellm_params.model': ['honoured', '`provider/model`; the provider is one of the catalogue'],
  'model_list.*.litellm_params.custom_llm_provider': ['honoured', 'the provider, instead of the prefix'],
  'model_list.*.litellm_params.api_key': ['honoured', '`os.environ/NAME`; a key in clear works too, with a warning'],
  'model_list.*.litellm_params.api_base': [
    'honoured',
    'the provider’s `baseUrl`; what LiteLLM would add to it is added',
  ],
  'model_list.*.litellm_params.base_url': ['honoured', 'as `api_base`'],
  'model_list.*.litellm_params.order': ['honoured', '`order`'],
  ...Object.fromEntries(
    defaultMembers.map((name): [string, KeyRule] => [
      `model_list.*.litellm_params.${name}`,
      ['honoured', '`defaults`: for requests that do not say it themselves'],
    ]),
  ),
  'model_list.*.litellm_params.max_tokens': ['honoured', '`defaultMaxOutputTokens`, the most of the entries'],
  'model_list.*.litellm_params.max_completion_tokens': ['honoured', 'as `max_tokens`'],
  'model_list.*.litellm_params.api_version': ['warned', 'Azure is called at /openai/v1, which needs none'],
  'model_list.*.litellm_params.weight': ['honoured', '`weight`, in whole numbers'],
  'model_list.*.litellm_params.rpm': ['honoured', '`rpm`'],
  'model_list.*.litellm_params.tpm': ['honoured', '`tpm`'],
  'model_list.*.litellm_params.max_parallel_requests': ['honoured', '`maxConcurrentCalls`'],
  'model_list.*.litellm_params.timeout': ['honoured', 'seconds; `timeouts.attemptMs`'],
  'model_list.*.litellm_params.stream_timeout': ['honoured', 'seconds; `timeouts.firstByteMs`'],
  'model_list.*.litellm_params.num_retries': ['honoured', '`retries` of the route, the most of the entries'],
  'model_list.*.litellm_params.max_retries': ['warned', 'the relay is the only one that retries'],
  'model_list.*.litellm_params.cooldown_time': ['warned', '`routing.cooldown` is the same for all deployments'],
  'model_list.*.litellm_params.drop_params': ['warned', 'members of requests pass through as they are'],
  'model_list.*.litellm_params.additional_drop_params': ['warned', 'members of requests pass through as they are'],
  'model_list.*.litellm_params.allowed_openai_params': ['honoured', 'members of requests pass through as they are'],
  'model_list.*.litellm_params.region_name': ['warned', 'the region of a deployment is its `model_info.id`'],
  'model_list.*.litellm_params.tags': ['honoured', '`tags`, where `enable_tag_filtering` is on'],
  'model_list.*.litellm_params.mock_response': ['refused', 'nobody may be charged for an answer that no model gave'],
  'model_list.*.litellm_params.mock_timeout': ['refused', 'nobody may be charged for an answer that no model gave'],
  'model_list.*.litellm_params.organization': ['refused', noHeaders],
  'model_list.*.litellm_params.extra_headers': ['refused', noHeaders],
  'model_list.*.litellm_params.headers': ['refused', noHeaders],
  'model_list.*.litellm_params.default_headers': ['refused', noHeaders],
  'model_list.*.litellm_params.extra_body': ['refused', 'nothing bounds the cost of what would be added to requests'],
  'model_list.*.litellm_params.max_budget': ['refused', 'nothing here would stop at such a budget'],
  'model_list.*.litellm_params.budget_duration': ['refused', 'nothing here would stop at such a budget'],
  'model_list.*.litellm_params.guardrails': ['refused', 'requests would pass that these hold back'],
  'model_list.*.litellm_params.litellm_credential_name': ['refused', 'name an environment variable as `api_key`'],
  'model_list.*.litellm_params.configurable_clientside_auth_params': [
    'refused',
    'no key of a client goes to a provider',
  ],
  'model_list.*.litellm_params.cache_control_injection_points': ['refused', 'requests pass through as they are'],
  'model_list.*.litellm_params.merge_reasoning_content_in_choices': ['refused', 'answers pass through as they are'],
  'model_list.*.litellm_params.use_in_pass_through': ['warned', notOffered],
  'model_list.*.litellm_params.*aws*': ['refused', otherApi],
  'model_list.*.litellm_params.*vertex*': ['refused', otherApi],
  'model_list.*.model_info.id': ['honoured', 'the deployment’s region, where it may be one'],
  'model_list.*.model_info.mode': [
    'honoured',
    '`chat`, `completion`, `responses` or `embedding`, which the relay has; other modes are refused',
  ],
  'model_list.*.litellm_params.input_cost_per_token': ['honoured', 'US dollars; price and cost of prompt tokens'],
  'model_list.*.litellm_params.output_cost_per_token': ['honoured', 'US dollars; price and cost of completion tokens'],
  'model_list.*.model_info.input_cost_per_token': ['honoured', 'as in `litellm_params`, which goes before'],
  'model_list.*.model_info.output_cost_per_token': ['honoured', 'as in `litellm_params`, which goes before'],
  ...inBoth(Object.fromEntries(furtherCosts.map(([key, note]): [string, KeyRule] => [key, ['honoured', note]]))),
  ...inBoth({
    input_cost_per_image: ['refused', `${noSuchPrice}; raise the prompt price, then remove it`],
    output_cost_per_image: ['refused', `${noSuchPrice}; the model cannot be sold here`],
    input_cost_per_token_priority: ['warned', otherTier],
    output_cost_per_token_priority: ['warned', otherTier],
    input_cost_per_token_flex: ['warned', otherTier],
    output_cost_per_token_flex: ['warned', otherTier],
    cache_read_input_token_cost_priority: ['warned', otherTier],
    cache_read_input_token_cost_flex: ['warned', otherTier],
    input_cost_per_token_batches: ['warned', noBatches],
    output_cost_per_token_batches: ['warned', noBatches],
    '*cost*': ['refused', unknownCost],
    '*pricing*': ['refused', unknownCost],
  }),
  'model_list.*.model_info.max_input_tokens': ['honoured', '`contextTokens`, the least of the entries'],
  'model_list.*.model_info.max_output_tokens': ['honoured', '`maxOutputTokens`, the least of the entries'],
  'model_list.*.model_info.max_tokens': [
    'honoured',
    'as `max_output_tokens`, where that is missing; of embeddings, as `max_input_tokens`',
  ],
  'model_list.*.model_info.output_vector_size': ['honoured', '`embeddingDimensions`, the most of the entries'],
  'model_list.*.model_info.rpm': ['honoured', 'as in `litellm_params`'],
  'model_list.*.model_info.tpm': ['honoured', 'as in `litellm_params`'],
  'model_list.*.model_info.supports_function_calling': ['honoured', '`tools`'],
  'model_list.*.model_info.supports_vision': ['honoured', '`vision`'],
  'model_list.*.model_info.base_model': ['warned', 'prices are in the file, so no name is needed to find them'],
  'model_list.*.model_info.*': ['warned', 'only costs, limits and abilities are read'],
};
