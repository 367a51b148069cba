import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { findProvider } from '../providers/catalogue.ts';
import { detectKind, importFile, type FileKind } from './import/import-file.ts';
import type { Imported, ImportedProvider, ImportedRoute } from './import/imported.ts';
import { paymentTokenOf } from './import/read-blueprint.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';
import { parseYaml, placeOf, type YamlSource } from './yaml-source.ts';

/** The files of a configuration, put together, still to be checked by the schema. */
export interface ConfigSources {
  /** In the words of autopay.yaml; `import` is gone from it. */
  value: Readonly<Record<string, unknown>>;
  /** Where something of `value` stands, and what it is called there: `litellm.yaml:3:5: model_list.0`. */
  locate: (path: ConfigPath) => string;
  /** What is wrong already, each with its place. */
  faults: string[];
  /** What the operator should know, each with its place. */
  notices: string[];
  /** Keys that stand in the files, by the names that `apiKeyEnv` calls them. They MUST NOT be logged. */
  secrets: Readonly<Record<string, string>>;
  /** Every file that was read. */
  files: readonly string[];
}

/** How the files are read. */
export interface ReadSourcesOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Foreign files besides those under `import`. */
  imports?: readonly string[];
  /** Default: the file system. */
  readText?: (file: string) => string;
}

interface Merge {
  main: YamlSource;
  value: Record<string, unknown>;
  /** Paths of `value` that stand elsewhere, by their keys joined. */
  origins: Map<string, { source: YamlSource; path: ConfigPath }>;
  faults: string[];
  notices: string[];
  secrets: Record<string, string>;
  /** Those of autopay.yaml itself. */
  own: readonly ImportedProvider[];
  /** Those of the imported files, and of the catalogue where autopay.yaml's routes name them. */
  providers: readonly ImportedProvider[];
}

/**
 * Parses autopay.yaml and takes in the files that it imports.
 *
 * @param label the file, or a name for it; imports are relative to its folder
 * @throws AutoPayError `invalid_configuration` if a file cannot be read at all
 */
export function readSources(text: string, label: string, options: ReadSourcesOptions): ConfigSources {
  const main = parseYaml(text, label);
  const { import: listed, ...value } = asRecord(main.value);
  const own = ownProviders(value['providers']);
  const providers = catalogued(value['routes'], own);
  const merge: Merge = { ...{ main, value, own, providers }, origins: new Map(), faults: [], notices: [], secrets: {} };
  const files = [label];
  for (const { file, ignored, at } of [...readImports(listed, merge), ...fromOutside(options)]) {
    const path = at === undefined ? file : resolve(dirname(label), file);
    const source = parseYaml(readText(path, options), at === undefined ? path : file);
    files.push(path);
    const kind = detectKind(source.value);
    if (kind === 'autopay') {
      const what = 'is neither LiteLLM’s (model_list) nor the blueprint’s (routes with route and providers)';
      merge.faults.push(`${at === undefined ? path : placeOf(main, ['import', at])}: ${file} ${what}`);
      continue;
    }
    takeIn(merge, { kind, source, ignored, env: options.env, fileNumber: files.length - 1 });
  }
  const added = merge.providers.filter(
    (provider) => Object.keys(provider).length > 1 || !providers.some(({ name }) => name === provider.name),
  );
  if (added.length > 0) merge.value['providers'] = [...asList(value['providers']), ...added];
  return {
    ...{ value: merge.value, faults: merge.faults, notices: merge.notices, secrets: merge.secrets, files },
    locate: (path) => locate(merge, path),
  };
}

function readText(file: string, { readText: read = readUtf8 }: ReadSourcesOptions): string {
  try {
    return read(file);
  } catch (cause) {
    throw new AutoPayError('invalid_configuration', `Cannot read ${file}, which is to be imported.`, { cause });
  }
}

function readUtf8(file: string): string {
  return readFileSync(file, 'utf8');
}

interface FileToImport {
  file: string;
  ignored: readonly string[];
  /** Its index under `import`; undefined if it was named elsewhere. */
  at?: number;
}

function fromOutside({ imports = [] }: ReadSourcesOptions): FileToImport[] {
  return imports.map((file) => ({ file, ignored: [] }));
}

/** The schema says what is wrong with the list; here what is right is taken. */
function readImports(listed: unknown, merge: Merge): FileToImport[] {
  if (listed === undefined) return [];
  merge.value['import'] = listed;
  if (!Array.isArray(listed)) return [];
  return listed.flatMap((entry: unknown, at): FileToImport[] => {
    if (typeof entry === 'string') return [{ file: entry, ignored: [], at }];
    const { file, ignore } = asRecord(entry);
    const ignored = Array.isArray(ignore) ? ignore.filter((one) => typeof one === 'string') : [];
    return typeof file === 'string' ? [{ file, ignored, at }] : [];
  });
}

interface TakeIn {
  kind: Exclude<FileKind, 'autopay'>;
  source: YamlSource;
  ignored: readonly string[];
  env: ReadSourcesOptions['env'];
  fileNumber: number;
}

function takeIn(merge: Merge, { kind, source, ignored, env, fileNumber }: TakeIn): void {
  const { value } = merge;
  const { imported, findings } = importFile(
    kind,
    {
      ...{ source, env },
      priced: new Set(Object.keys(asRecord(value['prices']))),
      priceCurrency: typeof value['priceCurrency'] === 'string' ? value['priceCurrency'] : undefined,
      ...{ own: merge.own, earlier: merge.providers, taken: deploymentsOf(value['routes']), fileNumber },
    },
    ignored,
  );
  const report = ({ path, message }: ConfigIssue) =>
    `${placeOf(source, path)}: ${path.join('.') || 'the file'} ${message}`;
  merge.faults.push(...imported.issues.map(report));
  for (const finding of findings) {
    if (finding.status === 'refused') merge.faults.push(report(finding));
    if (finding.status === 'warned') merge.notices.push(report(finding));
  }
  const token = paymentTokenOf(source.value);
  if (kind === 'blueprint' && token !== undefined && !namesOf(value['tokens'], 'symbol').includes(token)) {
    const message = `is ${token}, which is not one of tokens in ${merge.main.label}`;
    merge.faults.push(report({ path: ['agentgpt', 'blockchain', 'payment_token'], message }));
  }
  append(merge, source, imported);
}

function append(merge: Merge, source: YamlSource, imported: Imported): void {
  const { value, origins } = merge;
  merge.providers = imported.providers;
  const start = asList(value['routes']).length;
  value['routes'] = [...asList(value['routes']), ...imported.routes.map(({ route }) => route)];
  imported.routes.forEach((read, index) => addOrigins(origins, source, read, start + index));
  // What autopay.yaml says itself holds.
  if (Object.keys(imported.limits).length > 0) value['limits'] = { ...imported.limits, ...asRecord(value['limits']) };
  if (Object.keys(imported.routing).length > 0) {
    const said = asRecord(value['routing']);
    const sections = Object.entries(imported.routing).map(([key, section]) => [
      key,
      typeof section === 'object' ? { ...section, ...asRecord(said[key]) } : section,
    ]);
    value['routing'] = { ...said, ...Object.fromEntries(sections) };
  }
  for (const [key, section] of Object.entries(imported.passedOn)) {
    if (key in value) continue;
    value[key] = section;
    origins.set(key, { source, path: [key] });
  }
  Object.assign(merge.secrets, imported.secrets);
}

function addOrigins(origins: Merge['origins'], source: YamlSource, read: ImportedRoute, index: number): void {
  origins.set(`routes.${index}`, { source, path: read.from });
  read.deploymentsFrom.forEach((path, at) => origins.set(`routes.${index}.deployments.${at}`, { source, path }));
  if ('budget' in asRecord(valueAt(source.value, read.from))) {
    origins.set(`routes.${index}.maxPrice`, { source, path: [...read.from, 'budget'] });
  }
}

function locate({ main, origins }: Merge, path: ConfigPath): string {
  for (let length = path.length; length > 0; length -= 1) {
    const origin = origins.get(path.slice(0, length).join('.'));
    if (!origin) continue;
    // What is below has no words of its own there.
    const below = path.slice(length).join('.');
    return `${placeOf(origin.source, origin.path)}: ${origin.path.join('.')}${below && ` (${below})`}`;
  }
  return `${placeOf(main, path)}: ${path.join('.') || 'the file'}`;
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((inner, key) => (asRecord(inner) as Record<string | number, unknown>)[key], value);
}

/** What is read of them; the schema says what is wrong with the rest. */
function ownProviders(listed: unknown): ImportedProvider[] {
  return asList(listed).flatMap((entry) => {
    const { name, regions } = asRecord(entry);
    if (typeof name !== 'string') return [];
    const inner = Object.entries(asRecord(regions)).map(
      ([region, endpoint]) => [region, endpointOf(endpoint)] as const,
    );
    return [{ name, ...endpointOf(entry), ...(inner.length > 0 && { regions: Object.fromEntries(inner) }) }];
  });
}

function endpointOf(entry: unknown): Pick<ImportedProvider, 'apiKeyEnv' | 'baseUrl'> {
  const { apiKeyEnv, baseUrl } = asRecord(entry);
  return {
    ...(typeof baseUrl === 'string' && { baseUrl }),
    ...(typeof apiKeyEnv === 'string' && { apiKeyEnv }),
  };
}

/** Providers that autopay.yaml's routes take from the catalogue: no imported file gives them another endpoint or key. */
function catalogued(routes: unknown, own: readonly ImportedProvider[]): ImportedProvider[] {
  const named = asList(routes).flatMap((route) => namesOf(asRecord(route)['deployments'], 'provider'));
  const isOwn = (name: string) => own.some((provider) => provider.name === name);
  return [...new Set(named)]
    .filter((name) => !isOwn(name) && findProvider(name) !== undefined)
    .map((name) => ({ name }));
}

function deploymentsOf(routes: unknown): Set<string> {
  const deployments = asList(routes).flatMap((route) => asList(asRecord(route)['deployments']));
  return new Set(
    deployments.map((deployment) => {
      const { provider, region = 'default' } = asRecord(deployment);
      return `${String(provider)}@${String(region)}`;
    }),
  );
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function namesOf(list: unknown, key: string): string[] {
  return asList(list).flatMap((entry) => {
    const name = asRecord(entry)[key];
    return typeof name === 'string' ? [name] : [];
  });
}
