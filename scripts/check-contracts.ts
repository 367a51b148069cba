/**
 * Checks what the compiler left behind: no warning in our own sources, and every deployed contract's size as committed in
 * test/contracts/contract-sizes.json, within the limit of EIP-170. Run `hardhat build` first. `--update` writes the sizes.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sizesFile = join(root, 'test/contracts/contract-sizes.json');

/** EIP-170: largest runtime bytecode, bytes. */
const MAX_RUNTIME_BYTES = 24_576;

/** Code and initcode beyond the limits of mainnet: irrelevant for test contracts, which are never deployed to one. */
const SIZE_WARNINGS = new Set(['5574', '3860']);

const contracts = [
  ...['PaymentChannels', 'AutoPayLLM', 'AuditLog', 'ModelBudgets', 'PriceBook', 'PriceOracle', 'KeyRegistry'],
  ...['PaymentDesk', 'BillingDisputes', 'governance/AGPT', 'governance/AutoPayGovernor'],
];

interface CompilerMessage {
  errorCode: string;
  formattedMessage: string;
  sourceLocation?: { file: string };
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

/** The builds that today's artifacts come from; those of earlier sources may still lie beside them. */
async function findBuilds(): Promise<string[]> {
  const builds = new Set<string>();
  for (const entry of await readdir(join(root, 'artifacts'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.json') || entry.parentPath.endsWith('build-info')) continue;
    const { buildInfoId } = await readJson<{ buildInfoId?: string }>(join(entry.parentPath, entry.name));
    if (buildInfoId !== undefined) builds.add(buildInfoId);
  }
  if (builds.size === 0) throw new Error('No build found; run hardhat build first.');
  return [...builds];
}

/** Warnings about our own files; those about dependencies are theirs. */
async function listWarnings(): Promise<string[]> {
  const warnings = new Set<string>();
  for (const build of await findBuilds()) {
    const path = join(root, 'artifacts/build-info', `${build}.output.json`);
    const { output } = await readJson<{ output: { errors?: CompilerMessage[] } }>(path);
    for (const message of output.errors ?? []) {
      const file = message.sourceLocation?.file ?? '';
      if (file.startsWith('npm/')) continue;
      // Tests are compiled without optimising, and with them what they import. What is deployed is measured below.
      if (SIZE_WARNINGS.has(message.errorCode)) continue;
      warnings.add(message.formattedMessage);
    }
  }
  return [...warnings];
}

/** Runtime bytecode of each contract that is deployed, bytes. */
async function measureSizes(): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const contract of contracts) {
    const name = basename(contract);
    const path = join(root, `artifacts/contracts/${contract}.sol/${name}.json`);
    const { deployedBytecode } = await readJson<{ deployedBytecode: string }>(path);
    sizes[name] = (deployedBytecode.length - 2) / 2;
  }
  return sizes;
}

const problems = await listWarnings();
const sizes = await measureSizes();
for (const [name, size] of Object.entries(sizes)) {
  if (size > MAX_RUNTIME_BYTES) problems.push(`${name} has ${size} bytes; the limit is ${MAX_RUNTIME_BYTES}.`);
}
if (process.argv.includes('--update')) {
  await writeFile(sizesFile, await format(JSON.stringify(sizes), { parser: 'json' }));
} else {
  const committed: Record<string, number> = await readJson<Record<string, number>>(sizesFile).catch(() => ({}));
  for (const name of Object.keys(sizes)) {
    if (committed[name] === sizes[name]) continue;
    problems.push(`${name}: ${sizes[name]} bytes, committed ${committed[name]}; if intended, run with --update.`);
  }
}
if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`no compiler warnings; sizes ${JSON.stringify(sizes)}\n`);
}
