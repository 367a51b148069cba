import { findLiteLlmProvider, findProvider, findProviderOfUrl, type ProviderFacts } from '../../providers/catalogue.ts';
import type { ConfigPath } from '../report-issues.ts';
import { endpointAt } from '../resolve-providers.ts';
import type { Imported, ImportOptions } from './imported.ts';
import type { LiteLlmEntry } from './litellm-schema.ts';

/** Where the calls of one entry go. */
export interface LiteLlmPlace {
  provider: string;
  /** The model's name there. */
  model: string;
  baseUrl?: string;
  apiKeyEnv?: string;
  /** The key of `litellm_params` that says the endpoint; undefined if none does. */
  baseFrom?: 'api_base' | 'base_url';
  /** Whether the entry names its key. */
  saysKey: boolean;
}

/** What a place is read with. */
export interface PlaceContext {
  imported: Imported;
  options: ImportOptions;
  /** The file's `environment_variables`, references among them followed. */
  variables: ReadonlyMap<string, string>;
}

/**
 * Says which provider an entry means, at which endpoint and with which key. What cannot be told is reported. What the entry leaves to the
 * catalogue is said in full: another entry's endpoint or key must not be inherited.
 * @param from path of the entry
 */
export function readPlace(entry: LiteLlmEntry, context: PlaceContext & { from: ConfigPath }): LiteLlmPlace | undefined {
  const { from, imported, options } = context;
  const { litellm_params: params } = entry;
  const path = [...from, 'litellm_params'];
  const { model, prefix } = splitModel(params);
  if (model.includes('*') || entry.model_name.includes('*')) {
    const message = 'stands for any model; each one that is sold needs an entry and a price';
    imported.issues.push({ path: [...path, 'model'], message });
    return undefined;
  }
  if (prefix === undefined) {
    const message = `names no provider, and ${model} is none of OpenAI’s or Anthropic’s models; write provider/${model}`;
    imported.issues.push({ path: [...path, 'model'], message });
    return undefined;
  }
  const isOwn = options.own.some(({ name }) => name === prefix);
  const facts = findLiteLlmProvider(prefix) ?? (isOwn ? findProvider(prefix) : undefined);
  if (!facts && !isOwn) {
    const message = `names the provider ${prefix}, whose API is not spoken here; use an OpenAI-compatible endpoint, openai/<model> with api_base`;
    imported.issues.push({ path: [...path, 'model'], message });
    return undefined;
  }
  const baseFrom = params.api_base ? 'api_base' : params.base_url ? 'base_url' : undefined;
  const base = params.api_base || params.base_url || undefined;
  const resolved = base === undefined ? undefined : resolve(base, [...path, baseFrom ?? 'api_base'], context);
  if (base !== undefined && resolved === undefined) return undefined;
  const said = resolved === undefined ? undefined : endpointOf(resolved, facts);
  const usual: ReturnType<typeof endpointAt> = facts ? endpointAt({ name: facts.name }, 'default', options.env) : {};
  const provider = nameProvider(prefix, facts, said);
  const baseUrl = said ?? usual.baseUrl;
  if (baseUrl === undefined && facts && !options.own.some(({ name }) => name === provider)) {
    imported.issues.push({ path, message: `needs api_base: ${facts.note ?? 'its endpoint'}` });
    return undefined;
  }
  // A key that belongs to the catalogue's endpoint must not go anywhere else.
  const usualKey = baseUrl === usual.baseUrl ? usual.apiKeyEnv : undefined;
  const keyText = params.api_key || (usualKey !== undefined && `os.environ/${usualKey}`);
  const apiKeyEnv = keyText ? nameKey(keyText, [...path, 'api_key'], context) : undefined;
  return {
    ...{ provider, model, saysKey: Boolean(params.api_key) },
    ...(baseUrl !== undefined && { baseUrl }),
    ...(apiKeyEnv !== undefined && { apiKeyEnv }),
    ...(baseFrom !== undefined && { baseFrom }),
  };
}

/** Models of OpenAI, which LiteLLM knows without a prefix. */
const openAiModel =
  /^(?:gpt-|chatgpt-|o\d|codex-|computer-use-|text-embedding-|davinci-|babbage-|ft:|whisper-|tts-|dall-e-|omni-moderation-)/;

/** The provider that an entry names, or that LiteLLM knows a name without a prefix by; an endpoint of its own speaks OpenAI's API. */
function splitModel(params: LiteLlmEntry['litellm_params']): { prefix: string | undefined; model: string } {
  const { model: text, custom_llm_provider: given } = params;
  if (given !== undefined)
    return { prefix: given, model: text.startsWith(`${given}/`) ? text.slice(given.length + 1) : text };
  const slash = text.indexOf('/');
  if (slash > 0) return { prefix: text.slice(0, slash), model: text.slice(slash + 1) };
  if (text.startsWith('claude')) return { prefix: 'anthropic', model: text };
  const isOpenAi = openAiModel.test(text) || Boolean(params.api_base || params.base_url);
  return { prefix: isOpenAi ? 'openai' : undefined, model: text };
}

/** The URL up to and with `/v1`, which LiteLLM adds for some providers. */
function endpointOf(url: string, facts: ProviderFacts | undefined): string {
  const bare = url.replace(/\/+$/, '');
  const isHost = URL.canParse(bare) && new URL(bare).pathname === '/';
  return isHost ? `${bare}${facts?.litellmPath ?? ''}` : bare;
}

/** Receipts name who answered: an endpoint elsewhere is not the provider whose dialect it speaks. */
function nameProvider(prefix: string, facts: ProviderFacts | undefined, baseUrl: string | undefined): string {
  if (facts === undefined) return prefix;
  if (baseUrl === undefined || !URL.canParse(baseUrl) || facts.baseUrl === null) return facts.name;
  const host = new URL(baseUrl).host;
  if (facts.name !== 'openai' || host === new URL(facts.baseUrl).host) return facts.name;
  return findProviderOfUrl(baseUrl)?.name ?? host.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
}

const reference = /^os\.environ\/([A-Za-z_][A-Za-z0-9_]{0,127})$/;

/** The variables of a file; a reference to one before it is what that one says, as LiteLLM sets them in turn. */
export function readVariables(listed: Readonly<Record<string, string>>): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [name, text] of Object.entries(listed)) variables.set(name, follow(text, variables));
  return variables;
}

function follow(text: string, variables: PlaceContext['variables']): string {
  const [, name] = reference.exec(text) ?? [];
  return (name === undefined ? undefined : variables.get(name)) ?? text;
}

function resolve(text: string, path: ConfigPath, { imported, options, variables }: PlaceContext): string | undefined {
  const meant = follow(text, variables);
  const [, name] = reference.exec(meant) ?? [];
  if (name === undefined) return meant;
  const value = options.env[name];
  if (value) return value;
  imported.issues.push({ path, message: `names the environment variable ${name}, which is not set` });
  return undefined;
}

/** A key that stands in the file has a name of this file: whoever is sent it is named with it. */
function nameKey(text: string, path: ConfigPath, { imported, options, variables }: PlaceContext): string {
  const meant = follow(text, variables);
  const [, name] = reference.exec(meant) ?? [];
  if (name !== undefined) return name;
  if (meant === text) {
    imported.warnings.push({ path, status: 'warned', message: 'stands in clear; use os.environ/NAME' });
  }
  const written = Object.entries(imported.secrets).find(([, value]) => value === meant)?.[0];
  if (written !== undefined) return written;
  const stand = `IMPORTED_KEY_${options.fileNumber}_${Object.keys(imported.secrets).length + 1}`;
  imported.secrets[stand] = meant;
  return stand;
}
