import type { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { encodeAmount } from './amount-blob.ts';
import type { StoredKey, StoredProject } from './key-ledger.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** The most rows that one list of keys or projects answers; also the most that a payer may have. */
export const maxListedKeys = 1_000;

/** Reads and writes the rows of `api_keys` and `projects` that are of one chain: a key spends money that lies there. */
export interface KeyStore {
  putProject(project: StoredProject): void;
  getProject(projectId: string): StoredProject | undefined;
  listProjects(payer: Hex): StoredProject[];
  putKey(key: StoredKey): void;
  getKey(keyId: string): StoredKey | undefined;
  /** A key that is not deleted. */
  findKey(secretHash: Hex): StoredKey | undefined;
  listKeys(payer: Hex): StoredKey[];
}

const nullable = <T>(row: Row, column: string, read: (row: Row, column: string) => T): T | null =>
  row[column] === null ? null : read(row, column);

function termsOf(row: Row) {
  const models = nullable(row, 'models', textOf);
  return {
    payer: hexOf(row, 'payer'),
    token: hexOf(row, 'token'),
    name: textOf(row, 'name'),
    metadata: textOf(row, 'metadata'),
    models: models === null ? null : (JSON.parse(models) as string[]),
    budget: nullable(row, 'budget', amountOf),
    budgetDuration: nullable(row, 'budget_duration', textOf),
    budgetFrom: numberOf(row, 'budget_from_seconds'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    deletedAtMs: nullable(row, 'deleted_at_ms', numberOf),
  };
}

function projectOf(row: Row): StoredProject {
  return { projectId: textOf(row, 'project_id'), ...termsOf(row) };
}

function keyOf(row: Row): StoredKey {
  return {
    keyId: textOf(row, 'key_id'),
    secretHash: toHex(bytesOf(row, 'secret_hash')),
    hint: textOf(row, 'hint'),
    mode: textOf(row, 'mode') as StoredKey['mode'],
    projectId: nullable(row, 'project_id', textOf),
    expiresAtMs: nullable(row, 'expires_at_ms', numberOf),
    rpmLimit: nullable(row, 'rpm_limit', numberOf),
    tpmLimit: nullable(row, 'tpm_limit', numberOf),
    manages: numberOf(row, 'manages') === 1,
    createdBy: textOf(row, 'created_by') as StoredKey['createdBy'],
    ...termsOf(row),
  };
}

/** By column; keys and projects share these. */
function termColumns(terms: StoredProject | StoredKey) {
  return {
    payer: fromHex(terms.payer, 20),
    token: fromHex(terms.token, 20),
    name: terms.name,
    metadata: terms.metadata,
    models: terms.models === null ? null : JSON.stringify(terms.models),
    budget: terms.budget === null ? null : encodeAmount(terms.budget),
    budget_duration: terms.budgetDuration,
    budget_from_seconds: terms.budgetFrom,
    created_at_ms: terms.createdAtMs,
    deleted_at_ms: terms.deletedAtMs,
  };
}

const keyColumns = (key: StoredKey) => ({
  key_id: key.keyId,
  secret_hash: fromHex(key.secretHash, 32),
  hint: key.hint,
  mode: key.mode,
  project_id: key.projectId,
  expires_at_ms: key.expiresAtMs,
  rpm_limit: key.rpmLimit,
  tpm_limit: key.tpmLimit,
  manages: key.manages ? 1 : 0,
  created_by: key.createdBy,
  ...termColumns(key),
});

const projectColumns = (project: StoredProject) => ({ project_id: project.projectId, ...termColumns(project) });

/** Inserts a row or replaces the one with its id, the first of `columns`. What is deleted stays so, whoever else was changing it. */
function upsert(table: string, columns: readonly string[], chainId: number): string {
  const [id = '', ...others] = columns;
  const values = columns.map((column) => `$${column}`).join(', ');
  const replaced = others
    .filter((column) => column !== 'deleted_at_ms')
    .map((column) => `${column} = excluded.${column}`);
  const changes = [...replaced, `deleted_at_ms = coalesce(${table}.deleted_at_ms, excluded.deleted_at_ms)`].join(', ');
  return `INSERT INTO ${table} (${columns.join(', ')}, chain_id) VALUES (${values}, ${chainId}) ON CONFLICT (${id}) DO UPDATE SET ${changes}`;
}

const sharedColumns = [
  ...['payer', 'token', 'name', 'metadata', 'models', 'budget', 'budget_duration', 'budget_from_seconds'],
  ...['created_at_ms', 'deleted_at_ms'],
];
const ownKeyColumns = [
  ...['key_id', 'secret_hash', 'hint', 'mode', 'project_id', 'expires_at_ms', 'rpm_limit', 'tpm_limit', 'manages'],
  'created_by',
];

/** Prepares the statements once. */
export function createKeyStore(db: DatabaseSync, chainId: number): KeyStore {
  const here = `chain_id = ${chainId}`;
  const putProject = db.prepare(upsert('projects', ['project_id', ...sharedColumns], chainId));
  const getProject = db.prepare(`SELECT * FROM projects WHERE project_id = ? AND ${here}`);
  const listProjects = db.prepare(
    `SELECT * FROM projects WHERE payer = ? AND ${here} AND deleted_at_ms IS NULL ORDER BY created_at_ms, project_id LIMIT ${maxListedKeys}`,
  );
  const putKey = db.prepare(upsert('api_keys', [...ownKeyColumns, ...sharedColumns], chainId));
  const getKey = db.prepare(`SELECT * FROM api_keys WHERE key_id = ? AND ${here}`);
  const findKey = db.prepare(`SELECT * FROM api_keys WHERE secret_hash = ? AND ${here} AND deleted_at_ms IS NULL`);
  const listKeys = db.prepare(
    `SELECT * FROM api_keys WHERE payer = ? AND ${here} AND deleted_at_ms IS NULL ORDER BY created_at_ms, key_id LIMIT ${maxListedKeys}`,
  );
  const one = <T>(row: Row | undefined, read: (row: Row) => T): T | undefined =>
    row === undefined ? undefined : read(row);
  return {
    putProject: (project) => void putProject.run(projectColumns(project)),
    getProject: (projectId) => one(getProject.get(projectId), projectOf),
    listProjects: (payer) => listProjects.all(fromHex(payer, 20)).map(projectOf),
    putKey: (key) => void putKey.run(keyColumns(key)),
    getKey: (keyId) => one(getKey.get(keyId), keyOf),
    findKey: (secretHash) => one(findKey.get(fromHex(secretHash, 32)), keyOf),
    listKeys: (payer) => listKeys.all(fromHex(payer, 20)).map(keyOf),
  };
}
