/**
 * Writes what docs/CONFIGURATION.md says of keys and providers: from the schema's descriptions, the rules for foreign files, and the
 * catalogue. `--check` fails if the file differs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { configFileSchema } from '../server/config/config-schema.ts';
import { blueprintKeys } from '../server/config/import/blueprint-keys.ts';
import type { KeyRules } from '../server/config/import/foreign-keys.ts';
import { litellmKeys } from '../server/config/import/litellm-keys.ts';
import { catalogue } from '../server/providers/catalogue.ts';

/** What is used of JSON Schema. */
interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
}

const file = new URL('../docs/CONFIGURATION.md', import.meta.url);
const faults: string[] = [];

/** A table cell: on one line, and without what would end it. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string) => `\`${text}\``;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** The kind of value, in a word or two. */
function kindOf(schema: Schema): string {
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return [...new Set(variants.map(kindOf))].join(', or ');
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.type === 'object') return 'section';
  if (schema.type !== 'integer' && schema.type !== 'number')
    return schema.type === 'string' ? 'text' : (schema.type ?? 'text');
  const { minimum, maximum } = schema;
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`;
  return `number${minimum === undefined ? '' : `, ${minimum}${most || ' or more'}`}`;
}

/** The sections inside a value, whatever stands around them. */
function sectionsOf(schema: Schema): Schema[] {
  if (schema.properties) return [schema];
  const inner = [
    schema.items,
    typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined,
  ];
  return [...inner, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((one) => (one ? sectionsOf(one) : []));
}

const suffixOf = (schema: Schema): string =>
  schema.type === 'array'
    ? '[]'
    : typeof schema.additionalProperties === 'object' && !schema.properties
      ? '.<name>'
      : '';

/** A row for each key of a section, and of the sections inside. */
function rowsOf(section: Schema, path: string): string[][] {
  return Object.entries(section.properties ?? {}).flatMap(([key, schema]) => {
    const name = path === '' ? key : `${path}.${key}`;
    const { description, default: otherwise } = schema;
    if (description === undefined) faults.push(`${name} has no description`);
    const isRequired = section.required?.includes(key) === true && otherwise === undefined;
    const isSection = typeof otherwise === 'object' && (schema.properties !== undefined || suffixOf(schema) !== '');
    const standard = isRequired
      ? 'required'
      : otherwise === undefined || isSection
        ? ''
        : code(String(JSON.stringify(otherwise)));
    const known = new Set<string>();
    // The names of contracts say enough.
    const inner = (key === 'contracts' ? [] : sectionsOf(schema))
      .flatMap((one) => rowsOf(one, `${name}${suffixOf(schema)}`))
      // Alternatives of one key each have a row; what they share has one.
      .filter(([id = '', kind = '']) => !known.has(id + kind) && known.add(id + kind));
    return [[code(name), kindOf(schema), standard, description ?? ''], ...inner];
  });
}

const schema = z.toJSONSchema(configFileSchema, { io: 'input' }) as Schema;
const sections = Object.entries(schema.properties ?? {}).map(([key, section]) => {
  const rows = rowsOf({ ...schema, properties: { [key]: section } }, '');
  return `#### ${code(key)}\n\n${table(['key', 'value', 'default', 'what it does'], rows)}`;
});

const rulesTable = (rules: KeyRules) =>
  table(
    ['key', 'what becomes of it', 'how, or why not'],
    Object.entries(rules).map(([key, [status, note, also]]) => [
      code(key),
      Array.isArray(also) ? `${status}, some warned` : status,
      note,
    ]),
  );

const providers = table(
  [
    'name',
    'other names',
    'base URL',
    'key',
    'output limit',
    'reasoning tokens',
    '`stream_options`',
    'errors in',
    'endpoints',
    'checked',
    'notes',
  ],
  catalogue.map((facts) => [
    `[${facts.name}](${facts.source})`,
    facts.aliases.join(', '),
    facts.baseUrl === null ? 'yours' : code(facts.baseUrl),
    facts.keyEnv === null ? 'none' : code(facts.keyEnv),
    code(facts.outputLimit),
    facts.reasoning === 'inside' ? 'in `completion_tokens`' : 'beside them',
    facts.streamOptions,
    code(facts.errors),
    facts.endpoints?.map(code).join(', ') ?? 'as it answers',
    facts.checked.join(', '),
    facts.note ?? '',
  ]),
);

const parts: Readonly<Record<string, string>> = {
  keys: sections.join('\n\n'),
  litellm: rulesTable(litellmKeys),
  blueprint: rulesTable(blueprintKeys),
  providers,
};

const current = readFileSync(file, 'utf8');
let wanted = current;
for (const [name, text] of Object.entries(parts)) {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [before, rest] = wanted.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/CONFIGURATION.md lacks ${begin} … ${end}`);
  wanted = `${before}${begin}\n\n${text}\n\n${end}${after}`;
}
wanted = await format(wanted, { ...(await resolveConfig(file)), parser: 'markdown' });

if (faults.length > 0) {
  process.stderr.write(`${faults.join('\n')}\n`);
  process.exitCode = 1;
} else if (!process.argv.includes('--check')) {
  writeFileSync(file, wanted);
} else if (current !== wanted) {
  process.stderr.write('docs/CONFIGURATION.md is stale: run "npm run generate".\n');
  process.exitCode = 1;
}
