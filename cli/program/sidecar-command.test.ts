import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { bodyBoundsSchema } from '../../client/audit/body-store.ts';
import { addSidecarCommand } from './sidecar-command.ts';

/** What `--keep-bodies` is taken for, or why it is not. */
async function keepBodies(...given: string[]): Promise<unknown> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  let taken: unknown;
  addSidecarCommand(program, async (command) => {
    taken = command.opts<{ keepBodies?: number }>().keepBodies;
  });
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(['sidecar', ...given], { from: 'user' });
  return taken;
}

describe('autopay sidecar --keep-bodies', () => {
  it('is so many days as a wallet can keep bodies for; without it, the wallet’s settings decide', async () => {
    expect(await keepBodies()).toBeUndefined();
    for (const days of ['1', '30', '3650']) {
      expect(await keepBodies('--keep-bodies', days)).toBe(Number(days));
    }
    // A wallet takes just as many.
    expect([1, 3_650, 3_651].map((days) => bodyBoundsSchema.safeParse({ days }).success)).toEqual([true, true, false]);
  });

  it.each(['0', '-1', '1.5', '01', '1e3', 'ten', '', '3651', '99999999999'])('is not %j', async (days) => {
    await expect(keepBodies(`--keep-bodies=${days}`)).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  });

  it('needs a number', async () => {
    await expect(keepBodies('--keep-bodies')).rejects.toMatchObject({ code: 'commander.optionMissingArgument' });
  });
});
