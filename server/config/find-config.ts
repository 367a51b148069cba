import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { detectKind } from './import/import-file.ts';
import { parseYaml } from './yaml-source.ts';

/** The files that a configuration begins with. */
export interface FoundConfig {
  /** An autopay.yaml. */
  file: string;
  /** Foreign files that it takes in besides its own imports. */
  imports: string[];
}

/**
 * Says which files are meant. A file of LiteLLM or of the blueprint does not say what a relay has to know of chain, tokens and prices:
 * it comes to the autopay.yaml of the data folder as if that imported it.
 *
 * @param given a file that was named instead; told by its keys
 * @throws AutoPayError `invalid_configuration` if it cannot be read
 */
export async function findConfig(dataDir: string, given?: string): Promise<FoundConfig> {
  const own = join(dataDir, 'autopay.yaml');
  if (given === undefined) return { file: own, imports: [] };
  const file = resolve(given);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AutoPayError('invalid_configuration', `Cannot read the configuration ${file}.`, { cause });
  }
  return detectKind(parseYaml(text, file).value) === 'autopay' ? { file, imports: [] } : { file: own, imports: [file] };
}
