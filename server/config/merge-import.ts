import { importFile, type FileKind } from './import/import-file.ts';
import type { Imported, ImportedProvider, ImportedRoute } from './import/imported.ts';
import { paymentTokenOf } from './import/read-blueprint.ts';
import { asList, asRecord, namesOf } from './loose-values.ts';
import { deploymentsOf } from './own-providers.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';
import { placeOf, type YamlSource } from './yaml-source.ts';

/** Files of a configuration, on their way to be one. */
export interface Merge {
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

/** A file to be taken in. */
export interface FileToTake {
  kind: Exclude<FileKind, 'autopay'>;
  source: YamlSource;
  ignored: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  fileNumber: number;
}

/** Adds what a foreign file says to the configuration; what autopay.yaml says itself holds. */
export function takeIn(merge: Merge, { kind, source, ignored, env, fileNumber }: FileToTake): void {
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

/** Where something of the configuration stands, and what it is called there. */
export function locate({ main, origins }: Merge, path: ConfigPath): string {
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
