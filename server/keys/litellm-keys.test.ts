import { describe, expect, it } from 'vitest';
import { createKeyCurrency } from './key-currency.ts';
import { createManageDeps, someKeyChannel, someProject, testPayer, testTokens } from './key-fixtures.ts';
import {
  deleteKeys,
  describeKeyInfo,
  generateKey,
  requireAnyKey,
  updateKey,
  type LitellmDeps,
} from './litellm-keys.ts';
import { deleteKeysSchema, generateKeySchema, updateKeySchema } from './litellm-schemas.ts';

const [usdc, agpt] = testTokens;

function create(): LitellmDeps {
  const deps = createManageDeps([someKeyChannel(), someKeyChannel({ token: agpt.address })]);
  const getSpending: LitellmDeps['ledger']['getSpending'] = async (scopes) =>
    scopes.map((scope) => ({ ...scope, charged: 250_000n, reserved: 0n }));
  return { ...deps, ledger: { ...deps.ledger, getSpending }, currency: createKeyCurrency(() => null) };
}

const generate = async (deps: LitellmDeps, body: object) =>
  (await generateKey(deps, generateKeySchema.parse({ user_id: testPayer, ...body }))) as Record<string, unknown>;

describe('/key/generate', () => {
  it('speaks of the price currency where the books speak of atomic units', async () => {
    const deps = create();
    const answer = await generate(deps, {
      key_alias: 'a',
      max_budget: 1.5,
      models: ['m'],
      rpm_limit: 3,
      duration: '1d',
    });
    expect(answer).toMatchObject({
      ...{ key_alias: 'a', max_budget: 1.5, spend: 0.25, models: ['m'], rpm_limit: 3, tpm_limit: null, team_id: null },
      ...{ user_id: testPayer, expires: new Date(deps.nowMs() + 86_400_000).toISOString() },
    });
    const key = await requireAnyKey(deps, String(answer['key']));
    expect(key).toMatchObject({ budget: 1_500_000n, createdBy: 'operator', token: usdc.address });
    const inAgpt = await generate(deps, { max_budget: '1.5', token: 'AGPT' });
    expect(await requireAnyKey(deps, String(inAgpt['key']))).toMatchObject({ budget: 150n * 10n ** 18n });
  });

  it('makes the key in the token of its team', async () => {
    const deps = create();
    await deps.ledger.putProject(someProject({ token: agpt.address }));
    const answer = await generate(deps, { team_id: 'prj_1' });
    expect(await requireAnyKey(deps, String(answer['key']))).toMatchObject({ projectId: 'prj_1', token: agpt.address });
  });

  it('takes options that ask for nothing, and refuses those that would be ignored', () => {
    const parse = (fields: object) => generateKeySchema.safeParse({ user_id: testPayer, ...fields }).success;
    expect(parse({ aliases: {}, config: {}, max_parallel_requests: null, blocked: false, tags: [], key: '' })).toBe(
      true,
    );
    for (const fields of [
      ...[
        { max_parallel_requests: 1 },
        { aliases: { a: 'b' } },
        { soft_budget: 1 },
        { blocked: true },
        { key: 'sk-mine' },
      ],
      ...[{ max_budget: -1 }, { budget_duration: 'daily' }, { rpm_limit: 0 }, { user_id: 'bob' }, { unheard_of: 1 }],
    ]) {
      expect(parse(fields), JSON.stringify(fields)).toBe(false);
    }
  });
});

describe('/key/update, /key/info and /key/delete', () => {
  it('know a key by itself, its hash and its id', async () => {
    const deps = create();
    const { key, token, token_id: id } = await generate(deps, {});
    for (const name of [key, token, id].map(String)) {
      expect(await describeKeyInfo(deps, name)).toMatchObject({ key: name, info: { token } });
    }
    await expect(describeKeyInfo(deps, 'sk-none')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('change what is named, and nothing else', async () => {
    const deps = create();
    const { key } = await generate(deps, { key_alias: 'a', max_budget: 1, models: ['m'] });
    const update = (fields: object) => updateKey(deps, updateKeySchema.parse({ key, ...fields }));
    expect(await update({ max_budget: 2 })).toMatchObject({ key, max_budget: 2, models: ['m'], key_alias: 'a' });
    expect(await update({ max_budget: null, models: null, metadata: null })).toMatchObject({
      ...{ max_budget: null, models: [], metadata: {} },
    });
    await expect(update({ user_id: `0x${'cd'.repeat(20)}` })).rejects.toMatchObject({ param: 'user_id' });
  });

  it('delete all keys that are named, or none', async () => {
    const deps = create();
    const [first, second] = [await generate(deps, {}), await generate(deps, {})];
    const names = (...keys: unknown[]) => deleteKeysSchema.parse({ keys }).keys;
    await expect(deleteKeys(deps, names(first['key'], 'sk-none'))).rejects.toMatchObject({ code: 'not_found' });
    expect(await describeKeyInfo(deps, String(first['key']))).toBeTruthy();
    expect(await deleteKeys(deps, names(first['key'], second['token_id']))).toEqual({
      deleted_keys: [first['key'], second['token_id']],
    });
    await expect(describeKeyInfo(deps, String(first['key']))).rejects.toMatchObject({ code: 'not_found' });
  });
});
