import { z } from 'zod';
import { openRelaySession } from '../../client/relay-session.ts';
import { formatAmount, parseAmount } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { addressSchema, amountSchema } from '../../protocol/payments/value-schemas.ts';
import { findToken, openStackWallet, type CommandContext } from '../command-context.ts';
import { confirmSigning } from '../confirm-signing.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';
import type { Stack } from '../read-stack.ts';

const keySchema = z.looseObject({
  id: z.string(),
  hint: z.string(),
  name: z.string().nullish(),
  token: addressSchema,
  budget: amountSchema.nullish(),
  budget_duration: z.string().nullish(),
  spent: amountSchema,
  expires_at: z.string().nullish(),
});
const createdSchema = keySchema.extend({ key: z.string() });
const listSchema = z.object({ data: z.array(keySchema) });
const deletedSchema = z.object({ id: z.string(), deleted: z.literal(true) });

/** What `autopay keys create` was given. */
export interface KeyOptions {
  name?: string;
  /** In whole tokens. */
  budget?: string;
  period?: string;
  expiresIn?: string;
  /** Names, with commas between. */
  models?: string;
  /** Symbol of the token. */
  token?: string;
}

/** Logs in to the relay; the token stays in the wallet's folder. */
export async function runLogin(context: CommandContext): Promise<void> {
  const { payer, relayUrl, expiresAt } = await (await openSession(context)).session.logIn();
  context.print({
    json: { payer, relayUrl, expiresAt },
    text: `Logged in to ${relayUrl} as ${payer} until ${expiresAt}.\n`,
  });
}

/** Puts money where the wallet's API keys, and nothing else, may spend it; false if the owner declined. */
export async function runKeysFund(
  context: CommandContext,
  options: { amount: string; token?: string; yes?: boolean },
): Promise<boolean> {
  const { session, terms, channels, payer } = await openSession(context, options.token);
  const amount = parseAmount(options.amount, terms.token);
  if (amount === 0n) throw new AutoPayError('invalid_argument', 'Give an amount above 0.');
  const what = formatAmount(amount, terms.token);
  const text = `${what} go into the channel of this wallet's API keys, and they may spend all of it.\n`;
  if (!(await confirmSigning(context, { text, account: payer, isYes: options.yes === true }))) return false;
  const funding = channels.fundKeys(amount);
  const { channelId, cumulativeAmount, signature } = await showProgress('Putting money into the channel', funding);
  const body = { channelId, cumulativeAmount: String(cumulativeAmount), signature };
  await session.ask({ method: 'POST', path: '/v1/keys/headroom', body, schema: z.unknown() });
  context.print({
    json: { channelId, added: amount, signed: cumulativeAmount, token: terms.token },
    text: formatTable([
      ['channel', channelId],
      ['keys may spend', `${formatAmount(cumulativeAmount, terms.token)}, with what they have spent`],
    ]),
  });
  return true;
}

/** Makes an API key. */
export async function runKeysCreate(context: CommandContext, options: KeyOptions): Promise<void> {
  const { session, stack, terms } = await openSession(context, options.token);
  const { name, budget, period, expiresIn, models } = options;
  const body = {
    token: terms.token.address,
    ...(name !== undefined && { name }),
    ...(budget !== undefined && { budget: String(parseAmount(budget, terms.token)) }),
    ...(period !== undefined && { budget_duration: period }),
    ...(expiresIn !== undefined && { duration: expiresIn }),
    ...(models !== undefined && { models: models.split(',').map((model) => model.trim()) }),
  };
  const created = await session
    .ask({ method: 'POST', path: '/v1/keys', body, schema: createdSchema })
    .catch((cause: unknown) => {
      if (!(cause instanceof AutoPayError) || cause.code !== 'insufficient_headroom') throw cause;
      const message = 'There is nothing yet that keys may spend. First run: autopay keys fund <amount>';
      throw new AutoPayError('insufficient_headroom', message, { cause });
    });
  context.print({
    json: created,
    text:
      formatTable([
        ['key', created.key],
        ['id', created.id],
        ['budget', describeBudget(created, stack)],
        ['expires', created.expires_at ?? 'never'],
      ]) + 'It is not shown again. Keys spend what autopay keys fund gave them.\n',
  });
}

/** Lists the wallet's API keys. */
export async function runKeysList(context: CommandContext): Promise<void> {
  const { session, stack } = await openSession(context);
  const list = await session.ask({ method: 'GET', path: '/v1/keys', schema: listSchema });
  const rows = list.data.map((key) => [
    key.id,
    key.hint,
    key.name ?? '',
    formatAmount(key.spent, unitOf(stack, key.token)),
    describeBudget(key, stack),
    key.expires_at ?? 'never',
  ]);
  context.print({
    json: list,
    text:
      rows.length === 0
        ? 'No keys yet: autopay keys create makes one.\n'
        : formatTable([['id', 'key', 'name', 'spent', 'budget', 'expires'], ...rows]),
  });
}

/** Ends an API key; false if the owner declined. */
export async function runKeysDelete(context: CommandContext, options: { id: string; yes?: boolean }): Promise<boolean> {
  const { session, payer } = await openSession(context);
  const text = `Key ${options.id} ends: its next call is refused.\n`;
  if (!(await confirmSigning(context, { text, account: payer, isYes: options.yes === true }))) return false;
  const path = `/v1/keys/${encodeURIComponent(options.id)}`;
  const answer = await session.ask({ method: 'DELETE', path, schema: deletedSchema });
  context.print({ json: answer, text: `Key ${options.id} is deleted.\n` });
  return true;
}

async function openSession(context: CommandContext, symbol?: string) {
  const stack = await context.stack();
  const wallet = await openStackWallet(stack, { symbol });
  const { terms, channels } = await wallet.connect();
  return { session: openRelaySession(wallet), stack, terms, channels, payer: channels.payer };
}

function unitOf(stack: Stack, token: string) {
  const [symbol] = Object.entries(stack.tokens).find(([, { address }]) => address === token) ?? [];
  return symbol === undefined ? { symbol: `atomic units of ${token}`, decimals: 0 } : findToken(stack, symbol);
}

function describeBudget(key: z.output<typeof keySchema>, stack: Stack): string {
  if (key.budget === null || key.budget === undefined) return 'none';
  const amount = formatAmount(key.budget, unitOf(stack, key.token));
  return key.budget_duration ? `${amount} per ${key.budget_duration}` : `${amount} in all`;
}
