import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../tooling/run-command.ts';

const require = createRequire(import.meta.url);

/** The version that every source names. */
export const SOLC_VERSION = '0.8.28';

/** Speed matters more than gas here, so nothing is optimised. */
const SETTINGS = { evmVersion: 'cancun', viaIR: false, optimizer: { enabled: false } };

const BYTECODE_MEMBERS = ['object', 'linkReferences', 'sourceMap'];

/** A contract as solc leaves it. */
export interface CompiledContract {
  source: string;
  name: string;
  abi: readonly { type: string; name?: string }[];
  /** Hex with 0x; only 0x of what cannot be deployed. */
  bytecode: string;
  deployedBytecode: string;
  /** The files whose code it contains, its own and what it inherits, calls internally or takes a constant from. */
  origins: ReadonlySet<string>;
}

interface Bytecode {
  object: string;
  sourceMap: string;
}

interface Output {
  errors?: { severity: string; formattedMessage: string }[];
  sources?: Record<string, { id: number; ast?: unknown }>;
  contracts?: Record<
    string,
    Record<string, { abi: CompiledContract['abi']; evm: { bytecode: Bytecode; deployedBytecode: Bytecode } }>
  >;
}

/** A file does not compile. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
}

interface Compiler {
  compile(input: string, callbacks?: { import: (path: string) => { contents: string } | { error: string } }): string;
}

/** The compiler takes a second to load, and stays. */
let compiler: Compiler | undefined;

const texts = new Map<string, string>();

/** The text of a source by the name that solc has for it. */
export function readSource(name: string): string {
  const text = texts.get(name) ?? readFileSync(join(root, name.startsWith('@') ? 'node_modules' : '.', name), 'utf8');
  texts.set(name, text);
  return text;
}

/** The tree without types: that is all that listing mutants needs, and quick. */
export function parseSource(content: string): unknown {
  const output = compile({ file: content }, { '*': { '': ['ast'] } }, { stopAfter: 'parsing' });
  return output.sources?.['file']?.ast;
}

/**
 * Compiles contracts, and what they import.
 *
 * @param wanted the contracts to make code for, by file; `*` is each of a file's
 * @param changed texts other than those of the project's files
 * @throws CompileError
 */
export function compileContracts(
  wanted: ReadonlyMap<string, readonly string[]>,
  changed: Readonly<Record<string, string>> = {},
): CompiledContract[] {
  const code = ['bytecode', 'deployedBytecode'].flatMap((kind) =>
    BYTECODE_MEMBERS.map((member) => `evm.${kind}.${member}`),
  );
  const sources = Object.fromEntries([...wanted.keys()].map((file) => [file, changed[file] ?? readSource(file)]));
  const selection = Object.fromEntries(
    [...wanted].map(([file, names]) => [file, Object.fromEntries(names.map((name) => [name, ['abi', ...code]]))]),
  );
  const output = compile({ ...sources, ...changed }, selection);
  const files = new Map(Object.entries(output.sources ?? {}).map(([file, { id }]) => [id, file]));
  return Object.entries(output.contracts ?? {}).flatMap(([source, contracts]) =>
    Object.entries(contracts).map(([name, { abi, evm }]) => ({
      source,
      name,
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
      origins: originsOf([evm.bytecode.sourceMap, evm.deployedBytecode.sourceMap], files),
    })),
  );
}

/** The files that a source map names: the third field of an instruction, which is left empty where it does not change. */
function originsOf(sourceMaps: readonly string[], files: ReadonlyMap<number, string>): Set<string> {
  const ids = new Set(sourceMaps.flatMap((map) => map.split(';').map((entry) => entry.split(':')[2])));
  return new Set([...ids].flatMap((id) => (id ? (files.get(Number(id)) ?? []) : [])));
}

function compile(sources: Readonly<Record<string, string>>, outputSelection: object, more: object = {}): Output {
  const wrap = require('solc/wrapper') as (soljson: unknown) => Compiler;
  compiler ??= wrap(require('../tooling/soljson.cjs'));
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
    settings: { ...SETTINGS, ...more, outputSelection },
  };
  const read = (path: string): { contents: string } => ({ contents: readSource(path) });
  const output = JSON.parse(compiler.compile(JSON.stringify(input), { import: read })) as Output;
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new CompileError(errors.map(({ formattedMessage }) => formattedMessage).join('\n'));
  return output;
}
