import { readFile } from 'node:fs/promises';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { configFileSchema } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { addressesDir, readPublished } from './read-published.ts';
import type { RelayConfig } from './relay-config.ts';
import type { ConfigIssue } from './report-issues.ts';
import { resolveChain } from './resolve-chain.ts';
import { resolveConfig } from './resolve-config.ts';
import { resolveDeployment } from './resolve-deployment.ts';

const maxFileBytes = 4 * 2 ** 20;
const maxReportedIssues = 20;

/**
 * Reads the relay's configuration.
 *
 * @param file path of `autopay.yaml`
 * @param publishedDir folder with the addresses of deployments, for a file that names no contracts: the project's by default
 * @throws AutoPayError `invalid_configuration`; the message lists each fault with its line
 */
export async function loadConfig(file: string, publishedDir = addressesDir): Promise<RelayConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const message = `Cannot read the configuration ${file}. "npm start" writes one for a local stack.`;
    throw new AutoPayError('invalid_configuration', message, { cause });
  }
  return parseConfig(text, file, publishedDir);
}

/**
 * Parses the text of a configuration.
 *
 * @param label names the file in messages
 * @param publishedDir as of `loadConfig`
 * @throws AutoPayError `invalid_configuration`
 */
export function parseConfig(text: string, label: string, publishedDir = addressesDir): RelayConfig {
  if (text.length > maxFileBytes) throw new AutoPayError('invalid_configuration', `${label} is larger than 4 MiB.`);
  const lineCounter = new LineCounter();
  // Without the tag for hexadecimal integers an unquoted address stays the text that it is.
  const document = parseDocument(text, {
    lineCounter,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.format !== 'HEX'),
  });
  const [syntaxError] = document.errors;
  if (syntaxError) {
    throw new AutoPayError('invalid_configuration', `${label} is not valid YAML: ${syntaxError.message}`);
  }

  const parsed = configFileSchema.safeParse(document.toJS() ?? {});
  const issues: ConfigIssue[] = [];
  if (parsed.success) {
    const file = parsed.data;
    const config = resolveConfig(file, issues);
    const chain = resolveChain(file, issues);
    const deployment = resolveDeployment(file, (chainId) => readPublished(publishedDir, chainId), issues);
    if (issues.length === 0 && deployment !== undefined) {
      const { contracts, deployedAtBlock } = deployment;
      return { ...config, contracts, chain: { ...file.chain, ...chain, deployedAtBlock } };
    }
  } else {
    issues.push(...parsed.error.issues.flatMap(describeIssue));
  }
  const lines = issues.slice(0, maxReportedIssues).map(({ path, message }) => {
    const line = lineOf(document, lineCounter, path);
    return `\n  line ${line}: ${path.join('.') || 'the file'} ${message}`;
  });
  throw new AutoPayError('invalid_configuration', `${label} has ${issues.length} fault(s):${lines.join('')}`);
}

function describeIssue(issue: z.core.$ZodIssue): ConfigIssue[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const nearest = nearestName(key, known);
      const hint = nearest ? `did you mean "${nearest}"?` : `known are ${known.join(', ')}`;
      return { path: [...path, key], message: `is not a known key; ${hint}` };
    });
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ path, message: missing && issue.message.includes('undefined') ? 'is missing' : lowerFirst(issue.message) }];
}

function lowerFirst(message: string): string {
  return message.replace(/^Invalid input: e/, 'e').replace(/^Invalid input/, 'is not valid');
}

/** The keys that the schema knows at `path`. */
function knownKeys(path: readonly (string | number)[]): string[] {
  let schema: unknown = configFileSchema;
  const unwrapped = () => {
    while (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) {
      schema = schema.unwrap();
    }
    return schema;
  };
  for (const key of path) {
    const outer = unwrapped();
    if (outer instanceof z.ZodArray) schema = outer.element;
    else if (outer instanceof z.ZodObject) schema = outer.shape[key] as unknown;
  }
  const found = unwrapped();
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** The line of the key or value at `path`, or of the nearest thing around it that is in the file. */
function lineOf(document: Document, lineCounter: LineCounter, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}
