import { readFile } from 'node:fs/promises';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { applyPrices } from './apply-prices.ts';
import { configFileSchema } from './config-schema.ts';
import { describeIssues } from './describe-issues.ts';
import { addressesDir, readPublished } from './read-published.ts';
import { readSources, type ConfigSources } from './read-sources.ts';
import type { RelayConfig } from './relay-config.ts';
import type { ConfigIssue } from './report-issues.ts';
import { resolveChains } from './resolve-chains.ts';
import { resolveEvidence } from './resolve-evidence.ts';
import { noticeStrangeKeys, resolveProviders } from './resolve-providers.ts';
import { resolvePurchasing } from './resolve-purchasing.ts';

const maxReportedIssues = 20;

/** How a configuration is read. */
export interface LoadConfigOptions {
  /** Folder with the addresses of deployments, for a file that names no contracts. Default: the project's. */
  publishedDir?: string;
  /** Where imported files look up `os.environ/NAME`, and providers their base URLs. Default: the environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Files of LiteLLM or of the blueprint that are taken in besides those under `import`. */
  imports?: readonly string[];
  /** Called with each file just before it is read, the configuration itself first. */
  onFile?: (file: string) => void;
  /** How imported files are read. Default: from the file system. */
  readText?: (file: string) => string;
}

/**
 * Reads the relay's configuration, and the files that it imports.
 *
 * @param file path of `autopay.yaml`
 * @throws AutoPayError `invalid_configuration`; the message lists each fault with its file, line and column
 */
export async function loadConfig(file: string, options: LoadConfigOptions = {}): Promise<RelayConfig> {
  let text: string;
  options.onFile?.(file);
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const message = `Cannot read the configuration ${file}. "npm start" writes one for a local stack.`;
    throw new AutoPayError('invalid_configuration', message, { cause });
  }
  return parseConfig(text, file, options);
}

/**
 * Parses the text of a configuration, and takes in the files that it imports.
 *
 * @param label the file, or a name for it
 * @throws AutoPayError `invalid_configuration`
 */
export function parseConfig(text: string, label: string, options: LoadConfigOptions = {}): RelayConfig {
  const { publishedDir = addressesDir, env = process.env } = options;
  const sources = readSources(text, label, { ...options, env });
  const parsed = configFileSchema.safeParse(sources.value);
  const issues: ConfigIssue[] = [];
  if (parsed.success) {
    const file = applyPrices(parsed.data, issues);
    if (file.routes.length === 0 && sources.faults.length === 0) {
      issues.push({ path: ['routes'], message: 'is missing; say what is sold, here or in a file under import' });
    }
    const providers = resolveProviders(file, env, issues);
    const config = resolveChains(file, (chainId) => readPublished(publishedDir, chainId), issues);
    const sellers = config && resolvePurchasing(file, config.chains, issues);
    if (config !== undefined && sellers !== undefined && issues.length === 0 && sources.faults.length === 0) {
      const notices = [...sources.notices, ...noticeStrangeKeys(providers, env)];
      const { files, secrets } = sources;
      return { ...config, providers, sellers, evidence: resolveEvidence(file.providers), files, notices, secrets };
    }
  } else {
    issues.push(...describeIssues(configFileSchema, parsed.error.issues));
  }
  throw refuse(label, sources, issues);
}

function refuse(label: string, { faults, locate }: ConfigSources, issues: readonly ConfigIssue[]): AutoPayError {
  const all = [...faults, ...issues.map(({ path, message }) => `${locate(path)} ${message}`)];
  const lines = all.slice(0, maxReportedIssues).map((line) => `\n  ${line}`);
  const more = all.length > lines.length ? `\n  … and ${all.length - lines.length} more` : '';
  return new AutoPayError('invalid_configuration', `${label} has ${all.length} fault(s):${lines.join('')}${more}`);
}
