import { z } from 'zod';
import { isDuration } from '../../keys/budget-period.ts';
import { countSchema, decimalSchema, httpUrlSchema } from './words.ts';

/** The ways to pay, by the names of their methods. */
const paymentMethodNames = ['evm/session', 'x402', 'evm/charge', 'key'] as const;

/** RFC 3986 authority without user information, as login messages (EIP-4361) name a site. */
const authority = z
  .string()
  .regex(/^[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?$/, 'must be a host, or host:port, without a scheme');

const slicesSchema = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether any stream begins with a slice.'),
  outputTokens: countSchema(100_000).default(128).describe('How much output is held at a time.'),
  waitSeconds: countSchema(300).default(30).describe('How long a stream stands still for its next voucher.'),
});

const sponsorshipSchema = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether the relay sends such transactions.'),
  minDepositPercent: countSchema(100)
    .default(20)
    .describe('Percent of `suggestedDeposit`: smaller deposits are not worth their fee.'),
  perPayerPerHour: countSchema(10_000).default(12).describe('For each payer.'),
  perHour: countSchema(1_000_000).default(1_200).describe('For all payers.'),
});

const payerBudgetSchema = z.strictObject({
  amount: decimalSchema.describe(
    'The most that may be charged and held in one period, in the price currency; above zero.',
  ),
  period: z
    .string()
    .refine(isDuration, 'must be a number and s, m, h, d, w or mo, as in 1d')
    .default('1d')
    .describe(
      'After which it begins anew, such as `12h`, `7d` or `1mo`; days begin at 00:00 UTC, weeks on Monday, months with the first.',
    ),
});

/** `payment`: what is offered. */
export const paymentSchema = z.strictObject({
  suggestedDeposit: decimalSchema.default('5').describe('For a new channel, in the price currency.'),
  maxUnsettledPercent: countSchema(1_000_000)
    .default(200)
    .describe(
      'Percent of `suggestedDeposit`: what the single calls of a payer (x402, `evm/charge`, allowances) that are under way or not settled may come to, in each token. Its wallet may be empty by the time of the settlement: so much is at risk, or one call if that is more.',
    ),
  payerBudget: payerBudgetSchema
    .optional()
    .describe(
      'What each wallet may spend in a period, by whatever channels, keys and payments of its own, in each token and on each chain. Default: no bound but what it has signed.',
    ),
  challengeTtlSeconds: countSchema(86_400).default(3600).describe('How long a challenge may be answered.'),
  methods: z
    .array(z.enum(paymentMethodNames))
    .min(1)
    .max(8)
    .default([...paymentMethodNames])
    .describe(
      'What is offered and taken, in this order; free routes need none. A payment by `x402` or `evm/charge` costs the relay a transaction, however little its call is charged: set `request` in the prices to cover it, or leave these out.',
    ),
  slices: slicesSchema
    .prefault({})
    .describe(
      'On routes with `firstSlice`, streams of payers who sign small steps begin with the prompt and a slice of output, and stop for the next voucher. Whoever prefers a refusal says `Prefer: handling=strict`.',
    ),
  sponsorship: sponsorshipSchema
    .prefault({})
    .describe('Deposits by EIP-3009 authorization, whose transaction the relay sends and pays for; closes count too.'),
  x402: z
    .strictObject({
      facilitatorUrl: httpUrlSchema
        .optional()
        .describe(
          'Verifies payments, and settles those of the scheme `exact`, in the relay’s place; `upto` is not offered then.',
        ),
    })
    .prefault({})
    .describe('Payments by x402.'),
});

/** `keys`: API keys and their API. */
export const keysSchema = z.strictObject({
  domains: z
    .array(authority)
    .min(1)
    .max(16)
    .optional()
    .describe(
      'What wallets sign in to: the host (and port) that people see. Default: 127.0.0.1 and localhost with the relay’s port.',
    ),
  sessionTtlSeconds: z.number().int().min(60).max(86_400).default(3600).describe('How long a login lasts.'),
  suggestedHeadroom: decimalSchema
    .default('1')
    .describe(
      'What a payer is asked to sign for its keys that has spent nothing yet, in the price currency: about a day’s worth.',
    ),
});

/** `free`: bounds of free routes. */
export const freeSchema = z.strictObject({
  requestsPerMinute: countSchema(1_000_000).default(60).describe('For each client address (IPv6: each /64).'),
  requestsPerDay: countSchema(1_000_000_000).default(2_000).describe('For each client address.'),
});
