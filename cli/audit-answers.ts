import { z } from 'zod';
import { openBearerSession, openRelaySession, type RelaySession } from '../client/relay-session.ts';
import { unitOfToken } from '../client/chain/open-deployment.ts';
import { formatAmount } from '../client/token-amount.ts';
import { addressSchema, amountSchema } from '../protocol/payments/value-schemas.ts';
import { openStackWallet } from './command-context.ts';
import type { Stack } from './read-stack.ts';

/** What of a call the commands show; the rest is passed on as it came. */
export const callSchema = z.looseObject({
  callId: z.string(),
  index: z.number().int().nonnegative(),
  chainId: z.number().int(),
  chargedAt: z.iso.datetime(),
  payer: addressSchema.nullable(),
  token: addressSchema,
  amount: amountSchema,
  model: z.string(),
  provider: z.string(),
  receipt: z.looseObject({
    usage: z.looseObject({ prompt: z.number(), completion: z.number() }),
    modelServed: z.string(),
    usageKind: z.string(),
    evidenceTier: z.string(),
  }),
});

/** A call as the relay tells of it. */
export type AuditedCall = z.output<typeof callSchema>;

/** A page of `GET /v1/audit/calls`. */
export const callPageSchema = z.object({
  data: z.array(callSchema),
  hasMore: z.boolean(),
  nextCursor: z.string().nullable(),
  logSize: z.number().int().nonnegative(),
});

/** What may be asked of calls, as the command line writes it. */
export interface CallFilterOptions {
  /** For the operator: whose. */
  payer?: string;
  key?: string;
  model?: string;
  provider?: string;
  /** RFC 3339, a UTC day (its beginning), or unix milliseconds. */
  since?: string;
  until?: string;
}

/** The query of `GET /v1/audit/calls`. */
export function queryOf(options: CallFilterOptions, rest: Readonly<Record<string, string>>): string {
  const { payer, key, model, provider, since, until } = options;
  const asked = { payer, key_id: key, model, provider, since: timeOf(since), until: timeOf(until), ...rest };
  const given = Object.entries(asked).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return new URLSearchParams(given).toString();
}

/** A day is its first instant. */
function timeOf(text: string | undefined): string | undefined {
  return text !== undefined && z.iso.date().safeParse(text).success ? `${text}T00:00:00Z` : text;
}

/** Asks the stack's relay about calls: as the operator where AUTOPAY_OPERATOR_TOKEN is set, else as the stack's wallet. */
export async function openAuditSession(stack: Stack): Promise<Pick<RelaySession, 'ask' | 'open'>> {
  const operatorToken = process.env['AUTOPAY_OPERATOR_TOKEN'];
  if (operatorToken !== undefined && operatorToken !== '') {
    return openBearerSession({ relayUrl: stack.relayUrl.replace(/\/+$/, ''), fetch }, operatorToken);
  }
  return openRelaySession(await openStackWallet(stack));
}

/** What a call cost, in whole tokens where the stack knows the token. */
export function formatCharge({ amount, chainId, payer, token }: AuditedCall, stack: Stack): string {
  if (payer === null) return 'free';
  if (chainId !== stack.chainId) return `${amount} atomic units of ${token} on chain ${chainId}`;
  return formatAmount(amount, unitOfToken(stack, token));
}

/** The cells of a call in a table, and their names. */
export const callColumns = ['index', 'charged', 'call', 'model', 'tokens', 'cost'];

/** One call as a line of a table; `callColumns` says what is what. */
export function describeCallCells(call: AuditedCall, stack: Stack): string[] {
  const { usage } = call.receipt;
  return [
    String(call.index),
    call.chargedAt,
    call.callId,
    call.model,
    `${usage.prompt} + ${usage.completion}`,
    formatCharge(call, stack),
  ];
}
