import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { detectKind } from './import/import-file.ts';
import { asList, asRecord } from './loose-values.ts';
import { locate, takeIn, type Merge } from './merge-import.ts';
import { catalogued, ownProviders } from './own-providers.ts';
import type { ConfigPath } from './report-issues.ts';
import { parseYaml, placeOf } from './yaml-source.ts';

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
  /** Called with each foreign file just before it is read. */
  onFile?: (file: string) => void;
  /** Default: the file system. */
  readText?: (file: string) => string;
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

function readText(file: string, { onFile, readText: read = readUtf8 }: ReadSourcesOptions): string {
  onFile?.(file);
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
