import { isNode, isPair, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
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
 * @throws AutoPayError `invalid_configuration` if it is too large, or no YAML; the message has line and column
 */
export function parseYaml(text: string, label: string): YamlSource {
  if (text.length > maxFileBytes) throw new AutoPayError('invalid_configuration', `${label} is larger than 4 MiB.`);
  const lines = new LineCounter();
  // Without the tag for hexadecimal integers an unquoted address stays the text that it is.
  const document = parseDocument(text, {
    lineCounter: lines,
    // LiteLLM's files may have `<<: *defaults`.
    merge: true,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.format !== 'HEX'),
  });
  const [fault] = document.errors;
  if (fault) throw new AutoPayError('invalid_configuration', `${label} is not valid YAML: ${fault.message}`);
  try {
    return { label, value: document.toJS() ?? {}, document, lines };
  } catch (cause) {
    // Aliases that unfold without bound.
    throw new AutoPayError('invalid_configuration', `${label} cannot be read: ${String(cause)}.`, { cause });
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

/** The characters of a scalar as they stand in the file: numbers lose nothing. Undefined if there is no scalar. */
export function scalarText({ document }: YamlSource, path: ConfigPath): string | undefined {
  const node = document.getIn(path, true);
  if (isPair(node) || !isScalar(node)) return undefined;
  return node.source ?? String(node.value);
}
