import { z } from 'zod';
import { addressSchema } from '../../../protocol/payments/value-schemas.ts';
import { decimalPattern } from '../parse-decimal.ts';
import { chainNameSchema } from './provider-auth-section.ts';
import { countSchema, idPartSchema } from './words.ts';

/** An amount with its token, such as `500 AGPT`. */
const moneySchema = z
  .string({ error: 'must be an amount with its token, such as "500 AGPT"' })
  .regex(/^\S+ +[\x21-\x7e]{1,16}$/, 'must be an amount with its token, such as "500 AGPT"')
  .transform((text) => {
    const [amount = '', symbol = ''] = text.split(/ +/);
    return { amount, symbol };
  })
  .refine(({ amount }) => decimalPattern.test(amount), 'must be an amount with its token, such as "500 AGPT"');

/** `auto_refill`: when a channel is filled up. */
export const autoRefillSchema = z.strictObject({
  threshold: moneySchema.describe('Below this a channel is filled up.'),
  amount: moneySchema.describe('How much it is filled up with.'),
  gas_optimized: z
    .boolean()
    .default(false)
    .describe(
      'Wait while the base fee is above its moving average of an hour, as long as the channel still covers a call.',
    ),
  max_wait_seconds: countSchema(604_800)
    .default(3_600)
    .describe('Of `gas_optimized`: a channel that has been low for so long is filled up all the same.'),
});

/** `payment_channels`: channels from which the relay pays providers. */
export const paymentChannelsSchema = z
  .array(
    z.strictObject({
      provider: idPartSchema.describe('One of `providers` with `auth: { type: mpp }`.'),
      chain: chainNameSchema.describe('The chain of the channel; one of `chains`.'),
      balance: moneySchema.describe('What the channel is opened with; its token is one of that chain’s `tokens`.'),
      strategy: z
        .enum(['none', 'optimistic_rollups', 'zk-rollup'])
        .optional()
        .describe(
          'What a deposit waits for before it is spent from, as in `chain.strategy`. Default: the chain’s own.',
        ),
      escrow: addressSchema
        .optional()
        .describe('The PaymentChannels contract. Default: the one of the chain’s `contracts`.'),
      auto_refill: autoRefillSchema.optional().describe('Instead of the one for all channels.'),
    }),
  )
  .max(64);
