import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CommandContext } from '../command-context.ts';
import { readStack } from '../read-stack.ts';
import { runLimitsSet } from './limits.ts';

// With a stack: cli/command-line.test.ts.
let dataDir: string;
let context: CommandContext;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'autopay-limits-'));
  context = { isJson: true, dataDir, print: () => undefined, stack: () => readStack(dataDir) };
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

it('sets the limits of a sidecar that pays a relay of no stack', async () => {
  await mkdir(join(dataDir, 'client'));
  await runLimitsSet(context, { perCall: '0.5' });
  const settings: unknown = JSON.parse(await readFile(join(dataDir, 'client', 'settings.json'), 'utf8'));
  expect(settings).toEqual({ limits: { perCall: '0.5' } });
});

it('sets none in a folder that no wallet has used: they would bind nothing', async () => {
  await expect(runLimitsSet(context, { perCall: '0.5' })).rejects.toMatchObject({ code: 'stack_not_found' });
});
