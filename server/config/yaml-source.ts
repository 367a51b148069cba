import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ConfigPath } from './report-issues.ts';

const maxFileBytes = 4 * 2 ** 20;

/** A YAML file that was read, and where its parts stand. */
export interface YamlSource {
  /** Names the file in messages. */
  label: string;
  /** What it holds, as JavaScript has it. */
  value: unknown;
  document: Document;
  lines: LineCounter;
}

/**
 * Parses a file.
 * @throws AutoPayError `invalid_configuration` if it is too large, or no YAML; the message has line and column, and nothing of the text: keys may stand there
 */
export function parseYaml(text: string, label: string): YamlSource {
  if (text.length > maxFileBytes) throw new AutoPayError('invalid_configuration', `${label} is larger than 4 MiB.`);
  const lines = new LineCounter();
  // Without the tag for hexadecimal integers an unquoted address stays the text that it is.
  const document = parseDocument(text, {
    lineCounter: lines,
    // Neither messages nor warnings show lines of the file.
    prettyErrors: false,
    logLevel: 'error',
    // LiteLLM's files may have `<<: *defaults`.
    merge: true,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.format !== 'HEX'),
  });
  const [fault] = document.errors;
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0]);
    // The parser's own message may quote the text; its code does not.
    const what = fault.code.toLowerCase().replaceAll('_', ' ');
    throw new AutoPayError('invalid_configuration', `${label}:${line}:${col} is not valid YAML: ${what}.`);
  }
  try {
    return { label, value: document.toJS() ?? {}, document, lines };
  } catch {
    const message = `${label} cannot be read: an alias has no anchor before it, or aliases unfold without bound.`;
    throw new AutoPayError('invalid_configuration', message);
  }
}

/** Where something stands: `autopay.yaml:12:5`. Of what is not there, the nearest thing around it. */
export function placeOf({ document, label, lines }: YamlSource, path: ConfigPath): string {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset === undefined) continue;
    const { line, col } = lines.linePos(offset);
    return `${label}:${line}:${col}`;
  }
  return `${label}:1:1`;
}

/** Of a key in a map, the key; of an element of a list, the element. */
function offsetOf(document: Document, path: ConfigPath): number | undefined {
  const last = path.at(-1);
  const node = document.getIn(path, true);
  if (!isNode(node) || !node.range) return undefined;
  if (typeof last === 'number') return node.range[0];
  let offset: number | undefined;
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isNode(parent)) return node.range[0];
  visit(parent, {
    Pair(_, pair) {
      if (!isScalar(pair.key) || pair.value !== node) return visit.SKIP;
      offset = pair.key.range?.[0];
      return visit.BREAK;
    },
  });
  return offset ?? node.range[0];
}

/**
 * The characters of a scalar as they stand in the file, also behind aliases and merge keys: numbers lose nothing. Undefined if there is no
 * scalar.
 */
export function scalarText({ document }: YamlSource, path: ConfigPath): string | undefined {
  let node: unknown = resolveAlias(document, document.contents);
  for (const key of path) node = memberOf(document, node, key);
  return isScalar(node) ? (node.source ?? String(node.value)) : undefined;
}

/** As the parser merges: what a map says itself holds, then the first of what it merges. */
function memberOf(document: Document, node: unknown, key: string | number): unknown {
  if (isSeq(node)) return resolveAlias(document, node.get(key, true));
  if (!isMap(node)) return undefined;
  const own = node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key));
  if (own) return resolveAlias(document, own.value);
  for (const pair of node.items) {
    if (!isMergeKey(pair.key)) continue;
    const merged = resolveAlias(document, pair.value);
    for (const part of isSeq(merged) ? merged.items : [merged]) {
      const found = memberOf(document, resolveAlias(document, part), key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function isMergeKey(key: unknown): boolean {
  if (!isScalar(key)) return false;
  return key.value === '<<' || (typeof key.value === 'symbol' && key.value.description === '<<');
}

function resolveAlias(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}
