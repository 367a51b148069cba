import { z } from 'zod';
import { findProvider } from '../../providers/catalogue.ts';
import { describeIssues } from '../describe-issues.ts';
import { endpointAt } from '../resolve-providers.ts';
import { idPartSchema, nameSchema } from '../schema/words.ts';
import { passedOnKeys } from './blueprint-keys.ts';
import {
  emptyImport,
  type Imported,
  type ImportedProvider,
  type ImportedRoute,
  type ImportOptions,
} from './imported.ts';

const label = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}(?:@[A-Za-z0-9._-]{1,64})?$/, 'must be a provider, or provider@label');

const blueprintSchema = z.object({
  routes: z
    .array(
      z.object({
        route: nameSchema,
        model: nameSchema,
        budget: z.string().optional(),
        providers: z.array(label).min(1).max(16),
      }),
    )
    .min(1),
  agentgpt: z.object({ blockchain: z.object({ payment_token: z.string().optional() }).optional() }).optional(),
});

/** Whether a parsed file is the blueprint's: its routes have a `route`, or it has a section of its own. */
export function isBlueprint(value: object): boolean {
  if ('agentgpt' in value) return true;
  const routes: unknown = 'routes' in value ? value.routes : undefined;
  return (
    Array.isArray(routes) && routes.some((route) => typeof route === 'object' && route !== null && 'route' in route)
  );
}

/** The label of deployments that are tried after all others. */
const fallbackLabel = 'fallback';

/** Reads the blueprint's litellm-router.yaml. */
export function readBlueprint(options: ImportOptions): Imported {
  const { source } = options;
  const imported = emptyImport(options);
  const parsed = blueprintSchema.safeParse(source.value);
  if (!parsed.success) {
    imported.issues.push(...describeIssues(blueprintSchema, parsed.error.issues));
    return imported;
  }
  for (const key of passedOnKeys) {
    const value = (source.value as Record<string, unknown>)[key];
    if (value !== undefined) imported.passedOn[key] = value;
  }
  parsed.data.routes.forEach((route, index) => {
    const from = ['routes', index];
    const named = route.providers.map((text, at) => readLabel(text, { at, from, options, imported }));
    const ordered = [...named.filter((one) => !one.isFallback), ...named.filter((one) => one.isFallback)];
    const read: ImportedRoute = {
      from,
      deploymentsFrom: ordered.map((one) => [...from, 'providers', one.at]),
      route: {
        model: route.route,
        deployments: ordered.map(({ provider, region, isFallback }) => ({
          ...{ provider, model: route.model },
          ...(region && { region }),
          ...(isFallback && { order: 1 }),
        })),
        ...(route.budget !== undefined && { maxPrice: route.budget.trim() }),
      },
    };
    imported.routes.push(read);
  });
  return imported;
}

/** The symbol of the token that the blueprint's file wants to be paid in, if it says so. */
export function paymentTokenOf(value: unknown): string | undefined {
  return blueprintSchema.pick({ agentgpt: true }).safeParse(value).data?.agentgpt?.blockchain?.payment_token;
}

function readLabel(
  text: string,
  {
    at,
    from,
    options,
    imported,
  }: { at: number; from: (string | number)[]; options: ImportOptions; imported: Imported },
) {
  const [name = '', region] = text.split('@');
  const isOwn = options.own.some((one) => one.name === name);
  const provider = isOwn ? name : findProvider(name)?.name;
  if (provider === undefined) {
    const message = `is no provider that is known; add ${name} to providers of autopay.yaml, with its baseUrl`;
    imported.issues.push({ path: [...from, 'providers', at], message });
  }
  const known = provider ?? idPartSchema.parse(name);
  if (!isOwn && provider !== undefined && !options.own.some((one) => one.name === provider)) {
    const earlier = imported.providers.find((one) => one.name === provider);
    if (!earlier) imported.providers.push({ name: provider });
    else if (!isUsual(earlier, region ?? 'default', options.env)) {
      const message = `has another endpoint or key in a file before this one; say in providers.${provider} of autopay.yaml which holds`;
      imported.issues.push({ path: [...from, 'providers', at], message });
    }
  }
  return { provider: known, region, at, isFallback: region === fallbackLabel };
}

/** Whether the calls of a region go where the catalogue says, with the key that it says. */
function isUsual(provider: ImportedProvider, region: string, env: ImportOptions['env']): boolean {
  const [there, usual] = [endpointAt(provider, region, env), endpointAt({ name: provider.name }, region, env)];
  return there.baseUrl === usual.baseUrl && there.apiKeyEnv === usual.apiKeyEnv;
}
