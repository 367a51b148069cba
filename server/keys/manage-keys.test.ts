import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { hashApiKey } from './api-key.ts';
import { createManageDeps, someKeyChannel, someProject, testPayer, testTokens } from './key-fixtures.ts';
import { createKeySchema, type KeyTerms } from './key-schemas.ts';
import { changeKey, createKey, deleteKey, requireKey, requireProject, requireToken } from './manage-keys.ts';

const [usdc, agpt] = testTokens;
const owner = { payer: testPayer, createdBy: 'payer' } as const;
const other: Hex = `0x${'cd'.repeat(20)}`;
const terms = (fields: object = {}): KeyTerms => createKeySchema.parse(fields);

describe('a new key', () => {
  it('is stored by its hash and hint, with defaults that limit nothing', async () => {
    const deps = createManageDeps();
    const { apiKey, key } = await createKey(deps, owner, terms());
    expect(key).toMatchObject({
      ...{ secretHash: hashApiKey(apiKey), payer: testPayer, token: usdc.address, mode: 'channel', createdBy: 'payer' },
      ...{ models: null, budget: null, budgetDuration: null, expiresAtMs: null, rpmLimit: null, manages: false },
    });
    expect(JSON.stringify(key, (_, value: unknown) => String(value))).not.toContain(apiKey);
    expect(await deps.ledger.getKey(key.keyId)).toEqual(key);
  });

  it('takes all its terms; an empty list of models allows all', async () => {
    const deps = createManageDeps();
    await deps.ledger.putProject(someProject());
    const { key } = await createKey(
      deps,
      owner,
      terms({
        ...{ name: 'ci', metadata: { a: 1 }, models: [], budget: '500', budget_duration: '1d', duration: '1h' },
        ...{ rpm_limit: 5, tpm_limit: 6, manages: true, project_id: 'prj_1' },
      }),
    );
    expect(key).toMatchObject({
      ...{
        name: 'ci',
        metadata: '{"a":1}',
        models: null,
        budget: 500n,
        budgetDuration: '1d',
        rpmLimit: 5,
        tpmLimit: 6,
      },
      ...{ manages: true, projectId: 'prj_1', expiresAtMs: deps.nowMs() + 3_600_000, budgetFrom: deps.nowMs() / 1_000 },
    });
  });

  it('needs a payer that posted headroom in its token; an allowance needs none', async () => {
    const deps = createManageDeps([someKeyChannel({ token: usdc.address })]);
    await expect(createKey(deps, { ...owner, payer: other }, terms())).rejects.toMatchObject({
      code: 'insufficient_headroom',
    });
    await expect(createKey(deps, owner, terms({ token: 'agpt' }))).rejects.toMatchObject({
      code: 'insufficient_headroom',
    });
    const { key } = await createKey(deps, { ...owner, payer: other }, terms({ mode: 'allowance' }));
    expect(key).toMatchObject({ mode: 'allowance', token: agpt.address });
    await expect(createKey(deps, owner, terms({ mode: 'allowance', token: 'USDC' }))).rejects.toMatchObject({
      ...{ code: 'invalid_request', param: 'token' },
    });
  });

  it('joins projects of its payer only, and of its token only', async () => {
    const deps = createManageDeps();
    await deps.ledger.putProject(someProject({ payer: other }));
    await deps.ledger.putProject(someProject({ projectId: 'prj_2', token: agpt.address }));
    await expect(createKey(deps, owner, terms({ project_id: 'prj_1' }))).rejects.toMatchObject({ code: 'not_found' });
    await expect(createKey(deps, owner, terms({ project_id: 'prj_2', token: 'USDC' }))).rejects.toMatchObject({
      ...{ code: 'invalid_request', param: 'project_id' },
    });
  });

  it('is refused with two ends, or beyond a thousand', async () => {
    const deps = createManageDeps();
    const both = terms({ duration: '1d', expires_at: '2027-01-01T00:00:00Z' });
    await expect(createKey(deps, owner, both)).rejects.toMatchObject({ code: 'invalid_request' });
    const { key } = await createKey(deps, owner, terms());
    for (let index = 1; index < 1_000; index += 1) await deps.ledger.putKey({ ...key, keyId: `key_${index}` });
    await expect(createKey(deps, owner, terms())).rejects.toMatchObject({
      message: expect.stringContaining('1000 keys'),
    });
  });
});

describe('a change', () => {
  it('leaves what it does not name, and clears what it names as null', async () => {
    const deps = createManageDeps();
    const { key } = await createKey(deps, owner, terms({ name: 'a', budget: '5', duration: '1d', models: ['m'] }));
    expect(await changeKey(deps, key, {})).toEqual(key);
    expect(await changeKey(deps, key, { budget: null, duration: null, models: null, name: 'b' })).toEqual({
      ...key,
      ...{ budget: null, expiresAtMs: null, models: null, name: 'b' },
    });
  });

  it('of the budget’s period begins a new one; of its amount does not', async () => {
    const deps = createManageDeps();
    const { key } = await createKey(deps, owner, terms({ budget: '5', budget_duration: '1d' }));
    const later = { ...deps, nowMs: () => deps.nowMs() + 7_200_000 };
    expect(await changeKey(later, key, { budget: 9n, budget_duration: '1d' })).toMatchObject({
      budgetFrom: key.budgetFrom,
    });
    expect(await changeKey(later, key, { budget_duration: '1h' })).toMatchObject({
      budgetFrom: key.budgetFrom + 7_200,
    });
  });

  it('and a deletion count at the next call', async () => {
    const deps = createManageDeps();
    const { key } = await createKey(deps, owner, terms());
    expect((await deps.cache.find(key.secretHash))?.key.name).toBe('API key');
    await changeKey(deps, key, { name: 'changed' });
    expect((await deps.cache.find(key.secretHash))?.key.name).toBe('changed');
    await deleteKey(deps, key);
    expect(await deps.cache.find(key.secretHash)).toBeUndefined();
    await expect(requireKey(deps, key.keyId, testPayer)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('keys and projects of others', () => {
  it('are as if they were not there', async () => {
    const deps = createManageDeps();
    const { key } = await createKey(deps, owner, terms());
    await deps.ledger.putProject(someProject());
    await expect(requireKey(deps, key.keyId, other)).rejects.toMatchObject({ code: 'not_found' });
    await expect(requireProject(deps, 'prj_1', other)).rejects.toMatchObject({ code: 'not_found' });
    expect(await requireKey(deps, key.keyId, null)).toEqual(key);
  });
});

describe('a token', () => {
  it('is found by symbol or address, by default the first', () => {
    expect(requireToken(testTokens, undefined)).toBe(usdc);
    expect(requireToken(testTokens, 'agpt')).toBe(agpt);
    expect(requireToken(testTokens, agpt.address.toUpperCase().replace('0X', '0x'))).toBe(agpt);
    expect(() => requireToken(testTokens, 'DAI')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
