import type { ConfigIssue, ConfigPath } from '../report-issues.ts';
import type { YamlSource } from '../yaml-source.ts';
import type { KeyFinding } from './foreign-keys.ts';

/** What an import is made from. */
export interface ImportOptions {
  source: YamlSource;
  /** Where `os.environ/NAME` is looked up. */
  env: Readonly<Record<string, string | undefined>>;
  /** What the importing autopay.yaml says of prices, by route. */
  priced: ReadonlySet<string>;
  /** Currency of its prices; undefined if it does not say. */
  priceCurrency: string | undefined;
  /** Its own providers, which hold. */
  own: readonly ImportedProvider[];
  /** Providers of the files before this one, and those of the catalogue that autopay.yaml's routes name. */
  earlier: readonly ImportedProvider[];
  /** Deployments of the routes before, `provider@region`. */
  taken: ReadonlySet<string>;
  /** Which of the imported files it is, from 1: no two files have secrets of one name. */
  fileNumber: number;
}

/** A foreign file in the words of autopay.yaml, still to be checked by its schema. */
export interface Imported {
  /** Those of the files before, and of this one. */
  providers: ImportedProvider[];
  routes: ImportedRoute[];
  limits: Record<string, number>;
  /** Of `routing`, section by section. */
  routing: Record<string, unknown>;
  /** Keys that were written into the file, by the names that stand for them; no other file has these names. They MUST NOT be logged. */
  secrets: Record<string, string>;
  /** Top-level members that mean the same in autopay.yaml. */
  passedOn: Record<string, unknown>;
  /** What was found to be wrong; paths are the foreign file's. */
  issues: ConfigIssue[];
  /** What has no rule of its own to warn of; paths are the foreign file's. */
  warnings: KeyFinding[];
}

/** A provider as autopay.yaml has it. */
export interface ImportedProvider {
  name: string;
  baseUrl?: string;
  apiKeyEnv?: string;
  regions?: Record<string, { baseUrl?: string; apiKeyEnv?: string }>;
}

/** A route as autopay.yaml has it, and where the foreign file says so. */
export interface ImportedRoute {
  route: Record<string, unknown> & { model: string; deployments: Record<string, unknown>[] };
  from: ConfigPath;
  /** For each deployment. */
  deploymentsFrom: ConfigPath[];
}

/** An import to which nothing was added yet. */
export function emptyImport({ earlier }: Pick<ImportOptions, 'earlier'>): Imported {
  const providers = earlier.map((provider) => ({ ...provider }));
  return { providers, routes: [], limits: {}, routing: {}, secrets: {}, passedOn: {}, issues: [], warnings: [] };
}
