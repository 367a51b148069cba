/** Fails if solc warned about one of our own contracts. Hardhat prints warnings once, at the build that raises them. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './tooling/run-command.ts';

interface CompilerMessage {
  severity: string;
  errorCode?: string;
  formattedMessage?: string;
  sourceLocation?: { file: string };
}

/** A test contract may be as large as it likes: it is deployed in tests only. */
const SIZE_WARNINGS = ['5574', '3860'];

function isOurs({ errorCode = '', sourceLocation }: CompilerMessage): boolean {
  const file = sourceLocation?.file ?? 'project/';
  return file.startsWith('project/') && !(file.startsWith('project/test/') && SIZE_WARNINGS.includes(errorCode));
}

/** The builds that today's artifacts come from; older ones may still lie beside them. */
async function findBuilds(): Promise<string[]> {
  const builds = new Set<string>();
  for (const entry of await readdir(join(root, 'artifacts/contracts'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.json')) continue;
    const artifact = JSON.parse(await readFile(join(entry.parentPath, entry.name), 'utf8')) as { buildInfoId?: string };
    if (artifact.buildInfoId !== undefined) builds.add(artifact.buildInfoId);
  }
  return [...builds];
}

const builds = await findBuilds();
if (builds.length === 0) throw new Error('There are no artifacts; run npx hardhat build.');
const messages = new Set<string>();
for (const build of builds) {
  const file = join(root, 'artifacts/build-info', `${build}.output.json`);
  const { output } = JSON.parse(await readFile(file, 'utf8')) as { output: { errors?: CompilerMessage[] } };
  for (const message of (output.errors ?? []).filter(isOurs))
    messages.add(message.formattedMessage ?? message.severity);
}
process.stdout.write(messages.size === 0 ? 'solc warned about nothing of ours\n' : [...messages].join('\n'));
process.exitCode = messages.size === 0 ? 0 : 1;
