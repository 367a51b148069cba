import { createHash } from 'node:crypto';

/** One small change to a source file that some test should notice. */
export interface Mutant {
  /** Stable as long as the mutated text and what stands around it on its line stay the same. */
  id: string;
  /** What was done, in words. */
  operator: string;
  line: number;
  /** The line that it is on, or begins on. */
  text: string;
  start: number;
  end: number;
  original: string;
  replacement: string;
}

/** A node of solc's AST, as far as mutants need it. */
interface AstNode {
  nodeType: string;
  src: string;
  [member: string]: unknown;
}

const SWAPS: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '==': '!=',
  '!=': '==',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '&&': '||',
  '||': '&&',
  '&': '|',
  '|': '&',
  '<<': '>>',
  '>>': '<<',
  '+=': '-=',
  '-=': '+=',
  '|=': '&=',
  '&=': '|=',
};

interface Edit {
  operator: string;
  start: number;
  end: number;
  replacement: string;
}

/**
 * Lists the mutants of a Solidity file: comparison, arithmetic and logical operators, negations, conditions, whole
 * statements (checks, assignments, calls, events), modifiers, and numbers (in assembly too).
 *
 * @param source the file's text
 * @param ast its parsed tree, from solc
 */
export function listMutants(source: string, ast: unknown): Mutant[] {
  // The positions of solc count bytes.
  const bytes = Buffer.from(source);
  const edits: Edit[] = [];
  walk(ast as AstNode, (node, parent) => edits.push(...editsOf(node, parent, bytes)));
  const seen = new Map<string, number>();
  const mutants: Mutant[] = [];
  for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const original = bytes.subarray(edit.start, edit.end).toString();
    if (original === edit.replacement) continue;
    const before = bytes.subarray(0, edit.start).toString();
    const lineStart = before.lastIndexOf('\n') + 1;
    const text = source.slice(lineStart, source.indexOf('\n', before.length)).trim();
    const key = [edit.operator, text, original, edit.replacement].join('\0');
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    mutants.push({
      id: createHash('sha256').update(`${key}\0${occurrence}`).digest('hex').slice(0, 10),
      operator: edit.operator,
      line: before.split('\n').length,
      text,
      start: edit.start,
      end: edit.end,
      original,
      replacement: edit.replacement,
    });
  }
  return mutants;
}

/** The file with one mutant in it. */
export function applyMutant(source: string, mutant: Mutant): string {
  const bytes = Buffer.from(source);
  return Buffer.concat([
    bytes.subarray(0, mutant.start),
    Buffer.from(mutant.replacement),
    bytes.subarray(mutant.end),
  ]).toString();
}

function walk(node: AstNode, visit: (node: AstNode, parent: AstNode | undefined) => void, parent?: AstNode): void {
  visit(node, parent);
  for (const [name, member] of Object.entries(node)) {
    if (name === 'documentation') continue;
    for (const child of Array.isArray(member) ? (member as unknown[]) : [member]) {
      if (isNode(child)) walk(child, visit, node);
    }
  }
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && 'nodeType' in value && 'src' in value;
}

/** The span of a node, in bytes. */
function spanOf(node: AstNode): { start: number; end: number } {
  const [start = 0, length = 0] = node.src.split(':').map(Number);
  return { start, end: start + length };
}

function editsOf(node: AstNode, parent: AstNode | undefined, bytes: Buffer): Edit[] {
  const span = spanOf(node);
  switch (node.nodeType) {
    case 'BinaryOperation':
      return swapBetween(node['leftExpression'] as AstNode, node['rightExpression'] as AstNode, node, bytes);
    case 'Assignment':
      return swapBetween(node['leftHandSide'] as AstNode, node['rightHandSide'] as AstNode, node, bytes);
    case 'UnaryOperation':
      return node['operator'] === '!' ? [{ operator: 'drop !', ...span, end: span.start + 1, replacement: '' }] : [];
    case 'ExpressionStatement':
      return parent?.nodeType === 'ForStatement'
        ? []
        : [{ operator: `drop ${describe(node)}`, ...withSemicolon(span, bytes), replacement: '{}' }];
    case 'EmitStatement':
      return [{ operator: 'drop event', ...withSemicolon(span, bytes), replacement: '{}' }];
    case 'IfStatement': {
      const condition = spanOf(node['condition'] as AstNode);
      return ['true', 'false'].map((value) => ({ operator: `if ${value}`, ...condition, replacement: value }));
    }
    case 'Conditional': {
      const condition = spanOf(node['condition'] as AstNode);
      return ['true', 'false'].map((value) => ({ operator: `choose ${value}`, ...condition, replacement: value }));
    }
    case 'ModifierInvocation':
      return parent?.['kind'] === 'constructor' ? [] : [{ operator: 'drop modifier', ...span, replacement: '' }];
    case 'Literal':
      return node['kind'] === 'number' ? [{ operator: 'number + 1', ...span, replacement: plusOne(bytes, span) }] : [];
    case 'YulLiteral':
      return node['kind'] === 'number'
        ? [
            {
              operator: 'number + 1',
              ...span,
              replacement: `${BigInt(bytes.subarray(span.start, span.end).toString()) + 1n}`,
            },
          ]
        : [];
    default:
      return [];
  }
}

function swapBetween(left: AstNode, right: AstNode, node: AstNode, bytes: Buffer): Edit[] {
  const operator = node['operator'] as string;
  const replacement = SWAPS[operator];
  if (replacement === undefined) return [];
  const start = bytes.indexOf(operator, spanOf(left).end);
  if (start < 0 || start >= spanOf(right).start) return [];
  return [{ operator: `${operator} → ${replacement}`, start, end: start + operator.length, replacement }];
}

function describe(statement: AstNode): string {
  const expression = statement['expression'] as AstNode | undefined;
  if (expression?.nodeType === 'Assignment') return 'assignment';
  const callee = (expression?.['expression'] as AstNode | undefined)?.['name'];
  return callee === 'require' ? 'require' : 'statement';
}

/** An expression statement's span ends before its semicolon. */
function withSemicolon({ start, end }: { start: number; end: number }, bytes: Buffer): { start: number; end: number } {
  const semicolon = bytes.indexOf(';', end - 1);
  return { start, end: semicolon < 0 ? end : semicolon + 1 };
}

/** Units (`1 hours`) are part of a literal's text. */
function plusOne(bytes: Buffer, { start, end }: { start: number; end: number }): string {
  const [digits = '', ...unit] = bytes.subarray(start, end).toString().split(' ');
  if (!/^(0x[0-9a-fA-F]+|[0-9_]+)$/.test(digits) || /^0x[0-9a-fA-F]{40}$/.test(digits)) {
    return bytes.subarray(start, end).toString();
  }
  return [`${BigInt(digits.replaceAll('_', '')) + 1n}`, ...unit].join(' ');
}
