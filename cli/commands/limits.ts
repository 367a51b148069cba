import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeRelayWallet } from '../../client/describe-wallet.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { changeLimits, parseLimit, type LimitName, type WalletLimits } from '../../client/wallet-limits.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import type { Stack } from '../read-stack.ts';

const names = ['perCall', 'perDay', 'perDeposit'] as const satisfies readonly LimitName[];
const labels = { perCall: 'per call', perDay: 'per day (UTC)', perDeposit: 'per deposit' };

/** Shows the owner's limits, and what is spent of the day's. */
export async function runLimits(context: CommandContext): Promise<void> {
  const wallet = await openStackWallet(await context.stack());
  const { limits, spentToday, token, address } = await describeRelayWallet(wallet);
  const money = (amount: string | null) => (amount === null ? 'none' : formatAmount(BigInt(amount), token));
  context.print({
    json: { address, token, limits, spentToday },
    text: formatTable([
      ...names.map((name) => [labels[name], money(limits[name])]),
      ['spent today', `${money(spentToday)}, with what calls under way may cost`],
    ]),
  });
}

/**
 * Sets limits of the stack's wallet, or of one in another data folder, such as that of a sidecar with `--api-url`; `none` removes one.
 * @throws AutoPayError `stack_not_found` for a folder without either.
 * @throws AutoPayError `invalid_argument` for one that is finer than a token of the stack: no call could be paid in that any more.
 */
export async function runLimitsSet(context: CommandContext, given: { [name in LimitName]?: string }): Promise<void> {
  const { dataDir, tokens } = await findWallet(context);
  const change: { [name in LimitName]?: string | null } = {};
  for (const name of names) {
    const value = given[name];
    if (value === undefined) continue;
    change[name] = value === 'none' ? null : value;
    if (value === 'none') continue;
    for (const [symbol, { decimals }] of Object.entries(tokens)) parseLimit(name, value, { symbol, decimals });
  }
  if (Object.keys(change).length === 0) {
    throw new AutoPayError('invalid_argument', 'Say which limit: --per-call, --per-day or --per-deposit <amount>.');
  }
  const limits = await changeLimits(join(dataDir, 'client'), change);
  context.print({ json: { limits }, text: formatTable(names.map((name) => [labels[name], describe(limits, name)])) });
}

/** What is paid in without a stack is only known once it is paid: limits are held to those tokens then. */
async function findWallet(context: CommandContext): Promise<Pick<Stack, 'dataDir' | 'tokens'>> {
  try {
    return await context.stack();
  } catch (error) {
    const isNone = error instanceof AutoPayError && error.code === 'stack_not_found';
    if (isNone && existsSync(join(context.dataDir, 'client'))) return { dataDir: context.dataDir, tokens: {} };
    throw error;
  }
}

function describe(limits: WalletLimits, name: LimitName): string {
  const value = limits[name];
  return value === undefined ? 'none' : `${value} of the token that is paid in`;
}
