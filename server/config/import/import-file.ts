import type { KeyFinding, KeyRules } from './foreign-keys.ts';
import { judgeKeys } from './foreign-keys.ts';
import { blueprintKeys } from './blueprint-keys.ts';
import type { Imported, ImportOptions } from './imported.ts';
import { litellmKeys } from './litellm-keys.ts';
import { isBlueprint, readBlueprint } from './read-blueprint.ts';
import { readLiteLlm } from './read-litellm.ts';

/** Whose words a file is in. */
export type FileKind = 'autopay' | 'blueprint' | 'litellm';

/** Tells a file's kind by its keys. */
export function detectKind(value: unknown): FileKind {
  if (typeof value !== 'object' || value === null) return 'autopay';
  if ('model_list' in value) return 'litellm';
  return isBlueprint(value) ? 'blueprint' : 'autopay';
}

const importers: Readonly<
  Record<Exclude<FileKind, 'autopay'>, { rules: KeyRules; read: (options: ImportOptions) => Imported }>
> = {
  blueprint: { rules: blueprintKeys, read: readBlueprint },
  litellm: { rules: litellmKeys, read: readLiteLlm },
};

/** A foreign file, translated, and what became of each of its keys. */
export interface ImportedFile {
  imported: Imported;
  findings: KeyFinding[];
}

/** Reads a foreign file: judges its keys, and puts what it says into the words of autopay.yaml. */
export function importFile(
  kind: Exclude<FileKind, 'autopay'>,
  options: ImportOptions,
  ignored: readonly string[],
): ImportedFile {
  const { rules, read } = importers[kind];
  const imported = read(options);
  return { imported, findings: [...judgeKeys(options.source.value, rules, ignored), ...imported.warnings] };
}
