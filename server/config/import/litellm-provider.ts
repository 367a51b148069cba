import { findLiteLlmProvider, findProvider, findProviderOfUrl, type ProviderFacts } from '../../providers/catalogue.ts';
import type { ConfigPath } from '../report-issues.ts';
import type { Imported, ImportOptions } from './imported.ts';
import type { LiteLlmEntry } from './litellm-schema.ts';

/** Where the calls of one entry go. */
export interface LiteLlmPlace {
  provider: string;
  /** The model's name there. */
  model: string;
  baseUrl?: string;
  apiKeyEnv?: string;
}

/**
 * Says which provider an entry means, at which endpoint and with which key. What cannot be told is reported.
 * @param from path of the entry
 */
export function readPlace(
  entry: LiteLlmEntry,
  { from, imported, options }: { from: ConfigPath; imported: Imported; options: ImportOptions },
): LiteLlmPlace | undefined {
  const { litellm_params: params } = entry;
  const path = [...from, 'litellm_params'];
  const { model, prefix } = splitModel(params.model, params.custom_llm_provider);
  const facts = findLiteLlmProvider(prefix) ?? (options.providers.includes(prefix) ? findProvider(prefix) : undefined);
  if (model.includes('*') || entry.model_name.includes('*')) {
    imported.issues.push({
      path: [...path, 'model'],
      message: 'stands for any model; each one that is sold needs an entry and a price',
    });
    return undefined;
  }
  if (!facts && !options.providers.includes(prefix)) {
    const message = `names the provider ${prefix}, whose API is not spoken here; use an OpenAI-compatible endpoint, openai/<model> with api_base`;
    imported.issues.push({ path: [...path, 'model'], message });
    return undefined;
  }
  const baseKey = params.api_base ? 'api_base' : 'base_url';
  const base = params.api_base ?? params.base_url ?? undefined;
  const resolved = base === undefined ? undefined : resolve(base, [...path, baseKey], { imported, options });
  const key = params.api_key ? nameKey(params.api_key, [...path, 'api_key'], imported) : undefined;
  const baseUrl = resolved === undefined ? undefined : endpointOf(resolved, facts);
  if (baseUrl === undefined && (base !== undefined || (facts && facts.baseUrl === null))) {
    if (base === undefined) imported.issues.push({ path, message: `needs api_base: ${facts?.note ?? 'its endpoint'}` });
    return undefined;
  }
  return {
    provider: nameProvider(prefix, facts, baseUrl),
    model,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(key !== undefined && { apiKeyEnv: key }),
  };
}

/** What LiteLLM takes a name without a prefix for. */
function splitModel(text: string, given: string | undefined): { prefix: string; model: string } {
  if (given !== undefined)
    return { prefix: given, model: text.startsWith(`${given}/`) ? text.slice(given.length + 1) : text };
  const slash = text.indexOf('/');
  if (slash > 0) return { prefix: text.slice(0, slash), model: text.slice(slash + 1) };
  return { prefix: text.startsWith('claude') ? 'anthropic' : 'openai', model: text };
}

/** The URL up to and with `/v1`. */
function endpointOf(url: string, facts: ProviderFacts | undefined): string {
  const bare = url.replace(/\/+$/, '');
  const isBareAzure = facts?.name === 'azure' && URL.canParse(bare) && new URL(bare).pathname === '/';
  return isBareAzure ? `${bare}/openai/v1` : bare;
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

function resolve(
  text: string,
  path: ConfigPath,
  { imported, options }: { imported: Imported; options: ImportOptions },
): string | undefined {
  const [, name] = reference.exec(text) ?? [];
  if (name === undefined) return text;
  const value = imported.secrets[name] ?? options.env[name];
  if (value) return value;
  imported.issues.push({ path, message: `names the environment variable ${name}, which is not set` });
  return undefined;
}

function nameKey(text: string, path: ConfigPath, imported: Imported): string {
  const [, name] = reference.exec(text) ?? [];
  if (name !== undefined) return name;
  const written = Object.entries(imported.secrets).find(([, value]) => value === text)?.[0];
  if (written !== undefined) return written;
  const stand = `IMPORTED_KEY_${Object.keys(imported.secrets).length + 1}`;
  imported.secrets[stand] = text;
  imported.warnings.push({ path, status: 'warned', message: 'stands in clear; use os.environ/NAME' });
  return stand;
}
