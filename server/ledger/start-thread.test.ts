import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { startThread } from './start-thread.ts';

test('threads of TypeScript modules start and answer, many at one time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-thread-'));
  try {
    // Enough modules for a wrapper to be called as often as makes V8 compile it anew.
    const names = Array.from({ length: 60 }, (_, index) => `part-${index}.ts`);
    await Promise.all(names.map((name) => writeFile(join(folder, name), 'export const one: number = 1;\n')));
    const imports = names.map((name, index) => `import { one as n${index} } from './${name}';`).join('\n');
    const sum = names.map((_, index) => `n${index}`).join(' + ');
    const text = `import { parentPort } from 'node:worker_threads';\n${imports}\nparentPort?.postMessage(${sum} satisfies number);\n`;
    await writeFile(join(folder, 'main.ts'), text);
    const script = pathToFileURL(join(folder, 'main.ts'));
    const threads = Array.from({ length: 8 }, () => startThread(script, { name: 'test' }));
    const answers = await Promise.all(threads.map(async (thread) => (await once(thread, 'message')) as unknown[]));
    expect(answers.flat()).toEqual(threads.map(() => 60));
    await Promise.all(threads.map((thread) => thread.terminate()));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
