import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, ICruiseResult, IFlattenedRuleSet } from 'dependency-cruiser';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
  forbidden: { name: string }[];
  options: ICruiseOptions;
};

/** What crosses each border: rule → files, by path. A file that only has to exist is empty. */
const breaches: Record<string, Record<string, string>> = {
  'protocol-stands-alone': { 'protocol/a.ts': `import '../server/b.ts';`, 'server/b.ts': '' },
  'protocol-no-io': { 'protocol/c.ts': `import 'node:fs';` },
  'core-no-infrastructure': { 'server/call/d.ts': `import type { Client } from 'viem'; export type D = Client;` },
  'core-points-inwards': { 'server/metering/e.ts': `import '../chain/f.ts';`, 'server/chain/f.ts': '' },
  'ledger-and-metering-know-no-call': { 'server/ledger/g.ts': `import '../call/h.ts';`, 'server/call/h.ts': '' },
  'call-knows-the-ledger-by-its-port': { 'server/call/i.ts': `import '../ledger/j.ts';`, 'server/ledger/j.ts': '' },
  'only-composition-sees-http': { 'server/payments/k.ts': `import '../http/l.ts';`, 'server/http/l.ts': '' },
  'server-not-to-client': { 'server/m.ts': `import '../client/n.ts';`, 'client/n.ts': '' },
  'client-not-to-server': {
    'client/o.ts': `import type { P } from '../server/p.ts'; export type O = P;`,
    'server/p.ts': 'export type P = 1;',
  },
  'fsck-only-protocol': { 'fsck/q.ts': `import '../server/r.ts';`, 'server/r.ts': '' },
  'witness-only-protocol': { 'witness/gg.ts': `import '../fsck/hh.ts';`, 'fsck/hh.ts': '' },
  'simulator-stands-alone': { 'simulator/s.ts': `import '../protocol/t.ts';`, 'protocol/t.ts': '' },
  'product-not-to-tooling': { 'server/u.ts': `import '../scripts/v.ts';`, 'scripts/v.ts': '' },
  'nothing-imports-the-cli': { 'scripts/w.ts': `import '../cli/x.ts';`, 'cli/x.ts': '' },
  'cli-loads-lazily': { 'cli/y.ts': `import '../server/z.ts';`, 'server/z.ts': '' },
  'bootstrap-without-dependencies': { 'scripts/run.js': `import 'viem';` },
  'no-tests-in-sources': { 'server/aa.ts': `import './bb.test.ts';`, 'server/bb.test.ts': '' },
  'no-development-dependencies': {
    'server/cc.ts': `import 'vitest';`,
    'package.json': '{"devDependencies":{"vitest":"1"}}',
  },
  'no-cycles': { 'server/dd.ts': `import './ee.ts';`, 'server/ee.ts': `import './dd.ts';` },
  resolvable: { 'server/ff.ts': `import './nowhere.ts';` },
};

/** What looks alike and is allowed: no rule may be broken by these. */
const allowed: Record<string, string> = {
  'cli/lazy.ts': `export const load = () => import('../server/z.ts');`,
  'client/uses-protocol.ts': `import '../protocol/t.ts';`,
  'server/call/uses-port.ts': `import '../ledger/ledger.ts';`,
  'server/ledger/ledger.ts': '',
  'server/http/uses-call.ts': `import '../call/h.ts';`,
};

let folder = '';
let broken: { rule: string; from: string }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-borders-'));
  for (const [path, text] of Object.entries(Object.assign({}, allowed, ...Object.values(breaches)) as typeof allowed)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text === '' ? 'export {};' : text);
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'tsconfig.json'), '{"compilerOptions":{"module":"nodenext","noEmit":true}}');
  const { tsConfig: _ours, ...options } = config.options;
  const ruleSet = { forbidden: config.forbidden } as IFlattenedRuleSet;
  const folders = ['protocol', 'server', 'client', 'fsck', 'witness', 'simulator', 'scripts', 'cli'];
  const result = await cruise(folders, { ...options, baseDir: folder, validate: true, ruleSet });
  const { summary } = result.output as ICruiseResult;
  broken = summary.violations.map((violation) => ({ rule: violation.rule.name, from: violation.from }));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('packages are seen: excluded, they could break no rule', () => {
  const { exclude } = config.options as { exclude: { path: string } };
  expect('node_modules/viem/index.js').not.toMatch(new RegExp(exclude.path));
});

test('every border has a breach that proves it', () => {
  expect(Object.keys(breaches).sort()).toEqual(config.forbidden.map((rule) => rule.name).sort());
});

test.each(Object.entries(breaches))('%s is caught', (rule, files) => {
  expect(broken).toContainEqual({ rule, from: Object.keys(files)[0] });
});

test('what is allowed is not caught', () => {
  expect(broken.filter((violation) => violation.from in allowed)).toEqual([]);
});
