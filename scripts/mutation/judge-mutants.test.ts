import { beforeAll, describe, expect, it } from 'vitest';
import { readSource } from './compile-contracts.ts';
import { createJudge, type JudgeMutant } from './judge-mutants.ts';
import { listTargets, type MutationTarget } from './targets.ts';

const [registry] = listTargets().filter(({ source }) => source === 'contracts/KeyRegistry.sol');
const [row] = listTargets().filter(({ source }) => source === 'contracts/types/PriceRow.sol');
let judge: JudgeMutant;

/** The verdict on a change of one text of a target's source. */
function judgeChange(target: MutationTarget | undefined, from: string, to: string) {
  if (target === undefined) throw new Error('the target is not listed');
  const text = readSource(target.source);
  expect(text).toContain(from);
  return judge(target, text.replace(from, to));
}

describe('createJudge', () => {
  beforeAll(async () => {
    judge = await createJudge([registry, row].flatMap((target) => target ?? []));
  });

  it('says that a mutant is noticed, and by which test', async () => {
    const { outcome, by } = await judgeChange(
      registry,
      'addKey(address key) external onlyRole(KEYS_ROLE)',
      'addKey(address key) external',
    );
    expect(outcome).toBe('killed');
    expect(by).toMatch(/^KeyRegistryTest\.test/);
  });

  it('says that a change which changes nothing survives', async () => {
    expect(await judgeChange(registry, 'contract KeyRegistry', '/* the same */ contract KeyRegistry')).toEqual({
      outcome: 'survived',
    });
  });

  it('says that a mutant does not compile', async () => {
    expect(await judgeChange(registry, 'contract KeyRegistry', 'contract KeyRegistry 1')).toEqual({
      outcome: 'invalid',
    });
  });

  it('compiles a test anew that contains the code of a library', async () => {
    const { outcome, by } = await judgeChange(row, 'TOKENS_PER_PRICE = 1_000_000', 'TOKENS_PER_PRICE = 1_000_001');
    expect(outcome).toBe('killed');
    expect(by).toMatch(/^PriceRowTest\.test/);
  });

  it('refuses a source that nothing contains', async () => {
    const nothing = { source: 'contracts/interfaces/IAuditLog.sol', tests: registry?.tests ?? [] };
    await expect(judge(nothing, readSource(nothing.source))).rejects.toThrow(/nothing .* contains/);
  });
});
