/**
 * Adds to package-lock.json the packages of other platforms that npm left out.
 *
 * Where a registry does not carry the packages of foreign platforms, `npm install` writes a lock file without them, and
 * `npm ci` then refuses that file everywhere. Such a package is pinned to one exact version by its parent, so its entry
 * can be written without asking a registry; npm fetches it on its own platform only. `--check` only tells.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface LockEntry {
  version?: string;
  cpu?: string[];
  libc?: string[];
  optional?: boolean;
  os?: string[];
  dev?: boolean;
  optionalDependencies?: Record<string, string>;
}

/** What is read of a package-lock.json of version 3. */
export interface LockFile {
  packages: Record<string, LockEntry>;
}

const PLATFORMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Whether `name`, asked for by the package at `parent`, is found the way Node would: beside it, then further up. */
function isLocked(lock: LockFile, parent: string, name: string): boolean {
  for (let folder = parent; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
  }
}

/** The entry of a platform's package, its limits read from its name (`…-linux-arm64-musl`). */
function describePlatformPackage(name: string, version: string, parent: LockEntry): LockEntry | undefined {
  const words = (name.split('/').at(-1) ?? '').split('-');
  const os = words.find((word) => PLATFORMS.includes(word));
  const cpu = words.find((word) => PROCESSORS.includes(word));
  if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+/.test(version)) return undefined;
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined;
  return {
    version,
    cpu: [cpu],
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc }),
    optional: true,
    os: [os],
  };
}

/**
 * Adds what is missing, in place.
 *
 * @returns the names added
 * @throws Error if a missing package is not one platform's, or not pinned to one version
 */
export function completeLockFile(lock: LockFile): string[] {
  const added: string[] = [];
  for (const [parent, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, parent, name)) continue;
      const missing = describePlatformPackage(name, version, entry);
      if (missing === undefined) throw new Error(`package-lock.json lacks ${name}@${version}; run npm install again.`);
      lock.packages[`node_modules/${name}`] = missing;
      added.push(name);
    }
  }
  // npm keeps the entries sorted; the root, '', comes first either way.
  if (added.length > 0) {
    lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  }
  return added;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  const lock = JSON.parse(await readFile(file, 'utf8')) as LockFile;
  const added = completeLockFile(lock);
  if (added.length === 0) {
    process.stdout.write('package-lock.json is complete\n');
  } else if (process.argv.includes('--check')) {
    process.stderr.write(`package-lock.json lacks ${added.join(', ')}; run node scripts/complete-lockfile.ts\n`);
    process.exitCode = 1;
  } else {
    await writeFile(file, `${JSON.stringify(lock, null, 2)}\n`);
    process.stdout.write(`added ${added.join(', ')}\n`);
  }
}
