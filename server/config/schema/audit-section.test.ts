import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createCosigner, createNoteSigner } from '../../../protocol/log/signed-note.ts';
import { auditSchema } from './audit-section.ts';

const { verifierKey: key } = createCosigner({ name: 'witness.example/w1', seed: Buffer.alloc(32, 1) });
const { verifierKey: logKey } = createNoteSigner({ name: 'example.com/log', seed: Buffer.alloc(32, 1) });

test('a witness has an address and the key of a cosigner', () => {
  const { witnesses, requiredCosignatures } = auditSchema.parse({
    witnesses: [{ url: 'http://127.0.0.1:4020/', key }],
  });
  expect(witnesses).toEqual([{ url: 'http://127.0.0.1:4020', key }]);
  expect(requiredCosignatures).toBe(0);
});

test.each([
  ['the key of a log', { url: 'http://127.0.0.1:4020', key: logKey }],
  ['a key that is cut', { url: 'http://127.0.0.1:4020', key: key.slice(0, -1) }],
  ['no address', { key }],
  ['an address with credentials', { url: 'https://me@witness.example', key }],
  ['another word', { url: 'https://witness.example', key, name: 'w1' }],
])('%s is refused', (_what, witness) => {
  expect(auditSchema.safeParse({ witnesses: [witness] }).success).toBe(false);
});

test('evidence is kept for longer than any dispute takes', async () => {
  const daysOf = async (file: string, name: string) => {
    const source = await readFile(new URL(`../../../contracts/${file}`, import.meta.url), 'utf8');
    return Number(new RegExp(`${name} = (\\d+) days;`).exec(source)?.[1]);
  };
  const oldest = await daysOf('disputes/Evidence.sol', 'MAX_RECEIPT_AGE');
  const ruling = await daysOf('BillingDisputes.sol', 'RULING_WINDOW');
  expect(auditSchema.safeParse({ evidenceRetentionDays: oldest + ruling }).success).toBe(false);
  expect(auditSchema.parse({}).evidenceRetentionDays).toBe(400);
});
