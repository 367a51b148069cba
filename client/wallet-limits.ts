import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { formatAmount, parseAmount, type TokenUnit } from './token-amount.ts';
import { bodyBoundsSchema } from './audit/body-store.ts';
import { withLockFile } from './with-lock-file.ts';
import { writeFileDurably } from './write-file-durably.ts';

const settingsFileName = 'settings.json';
const lockWaitMs = 10_000;

const decimalSchema = z.string().regex(/^\d{1,30}(\.\d{1,30})?$/, 'it has to be a decimal number such as "2.5"');

/** What the owner lets the wallet spend, in whole tokens of whichever token it pays in; what is not named has no limit. */
export const limitsSchema = z.strictObject({
  /** The most that one call may cost. */
  perCall: decimalSchema.optional(),
  /** The most that calls may cost in a day (UTC), in one token. */
  perDay: decimalSchema.optional(),
  /** The most that is put into a channel at once. Only where it is set does the wallet top channels up by itself. */
  perDeposit: decimalSchema.optional(),
});

const settingsSchema = z.strictObject({
  limits: limitsSchema.default({}),
  /** Where it is set, prompts and answers are kept, so that receipts can be opened to others. */
  keepBodies: bodyBoundsSchema.optional(),
});

/** Limits as the owner writes them. */
export type WalletLimits = z.output<typeof limitsSchema>;
/** What the owner has set in `settings.json`. */
export type WalletSettings = z.output<typeof settingsSchema>;
/** Which of the limits. */
export type LimitName = keyof WalletLimits;
/** Limits in atomic units of one token. */
export type TokenLimits = Partial<Record<LimitName, bigint>>;

const names = ['perCall', 'perDay', 'perDeposit'] as const;
const phrases = { perCall: 'one call', perDay: 'one day (UTC)', perDeposit: 'one deposit' };
const flags = { perCall: '--per-call', perDay: '--per-day', perDeposit: '--per-deposit' };

/**
 * The limits in `settings.json` of a wallet's folder; none if there is no such file.
 * @throws AutoPayError `invalid_configuration` if it is not understood: a limit that is misspelt must not be no limit.
 */
export async function readLimits(stateDir: string): Promise<WalletLimits> {
  return (await readSettings(stateDir)).limits;
}

/**
 * All that is in `settings.json` of a wallet's folder; nothing is set if there is no such file.
 * @throws AutoPayError `invalid_configuration` as `readLimits`.
 */
export async function readSettings(stateDir: string): Promise<WalletSettings> {
  const file = join(stateDir, settingsFileName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { limits: {} };
    throw error;
  }
  try {
    return settingsSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is no JSON';
    throw new AutoPayError(
      'invalid_configuration',
      `${file} is not understood, so nothing is spent: ${reason}. Mend it, or run: autopay limits set`,
      { cause },
    );
  }
}

/**
 * Changes limits in `settings.json` (0600); wallets that run heed them from their next call on.
 * @param change what is not named stays; null removes a limit.
 * @throws AutoPayError `invalid_argument` if one is no decimal number; `invalid_configuration` if the file is not understood.
 */
export async function changeLimits(
  stateDir: string,
  change: { [name in LimitName]?: string | null },
): Promise<WalletLimits> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, settingsFileName);
  return withLockFile({ file: `${file}.lock`, waitMs: lockWaitMs }, async () => {
    const { limits, ...others } = await readSettings(stateDir);
    for (const name of names) {
      const value = change[name];
      if (value === null) delete limits[name];
      else if (value !== undefined) limits[name] = value;
    }
    const parsed = limitsSchema.safeParse(limits);
    if (!parsed.success) {
      throw new AutoPayError('invalid_argument', 'Write a limit as a decimal number of whole tokens, such as 2.5.');
    }
    await writeFileDurably(file, `${JSON.stringify({ limits: parsed.data, ...others }, undefined, 2)}\n`);
    return parsed.data;
  });
}

/**
 * A limit in atomic units of a token.
 * @throws AutoPayError `invalid_argument` if it is no decimal number, or has more digits than the token: it is not rounded.
 */
export function parseLimit(name: LimitName, text: string, token: TokenUnit): bigint {
  try {
    return parseAmount(text, token);
  } catch (cause) {
    throw new AutoPayError(
      'invalid_argument',
      `The limit for ${phrases[name]} cannot be ${text}: ${token.symbol} has ${token.decimals} digits after the point. ` +
        `Write it with no more, such as: autopay limits set ${flags[name]} 2.5`,
      { cause },
    );
  }
}

/**
 * Limits in atomic units of a token; of several sources, the lowest counts.
 * @throws AutoPayError `invalid_argument` as `parseLimit`.
 */
export function limitsIn(token: TokenUnit, ...sources: readonly (WalletLimits | undefined)[]): TokenLimits {
  const lowest: TokenLimits = {};
  for (const source of sources) {
    for (const name of names) {
      const text = source?.[name];
      if (text === undefined) continue;
      const amount = parseLimit(name, text, token);
      const known = lowest[name];
      if (known === undefined || amount < known) lowest[name] = amount;
    }
  }
  return lowest;
}

/**
 * The most that a call may cost by the limits; undefined if they do not bound it.
 * @param options.spentToday what this day's calls have cost, with what those under way may cost.
 * @param options.minimum the least that the call needs.
 * @throws AutoPayError `wallet_limit_exceeded` if that is too much for one of them.
 */
export function capCall(options: {
  limits: TokenLimits;
  spentToday: bigint;
  minimum: bigint;
  token: TokenUnit;
}): bigint | undefined {
  const { limits, spentToday, minimum, token } = options;
  const { perCall, perDay } = limits;
  if (perCall !== undefined && minimum > perCall) {
    throw limitExceeded('perCall', {
      limit: perCall,
      token,
      reason: `This call may cost ${formatAmount(minimum, token)}`,
    });
  }
  if (perDay === undefined) return perCall;
  if (spentToday + minimum > perDay) {
    const spent = `${formatAmount(spentToday, token)} of it is spent today or held for calls under way`;
    const reason = `This call may cost ${formatAmount(minimum, token)}, and ${spent}`;
    throw limitExceeded('perDay', { limit: perDay, token, reason });
  }
  const left = perDay - spentToday;
  return perCall !== undefined && perCall < left ? perCall : left;
}

/** @throws AutoPayError `wallet_limit_exceeded` for a deposit above the limit. */
export function checkDeposit(amount: bigint, { limits, token }: { limits: TokenLimits; token: TokenUnit }): void {
  const { perDeposit } = limits;
  if (perDeposit === undefined || amount <= perDeposit) return;
  const reason = `${formatAmount(amount, token)} would be put into the channel`;
  throw limitExceeded('perDeposit', { limit: perDeposit, token, reason });
}

function limitExceeded(
  name: LimitName,
  { limit, token, reason }: { limit: bigint; token: TokenUnit; reason: string },
): AutoPayError {
  return new AutoPayError(
    'wallet_limit_exceeded',
    `${reason}; the limit for ${phrases[name]} is ${formatAmount(limit, token)}. Nothing was signed. To raise it, run: ` +
      `autopay limits set ${flags[name]} <amount>`,
    { facts: { limit: name, limitAmount: limit.toString() } },
  );
}
