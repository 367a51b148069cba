/**
 * Runs openai_client.py against a stack of its own: `node test/interop/python-client.ts <python>`, where that Python has
 * the `openai` package. Not part of `npm test`, which needs nothing but npm; `.ci/run` prepares the Python.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startTestStack } from '../support/start-test-stack.ts';

const [python] = process.argv.slice(2);
if (python === undefined) throw new Error('name the Python to run');
const stack = await startTestStack();
try {
  const script = join(import.meta.dirname, 'openai_client.py');
  const child = spawn(python, [script, `${stack.sidecarUrl}/v1`], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
} finally {
  await stack.stop();
}
