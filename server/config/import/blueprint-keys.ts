import { configFileSchema } from '../config-schema.ts';
import type { KeyRule, KeyRules } from './foreign-keys.ts';

/** Sections that autopay.yaml has under the same names, once it has them. */
export const passedOnKeys = ['payment_channels', 'auto_refill'] as const;

function passedOn(otherwise: string): KeyRule {
  return passedOnKeys.every((key) => key in configFileSchema.shape)
    ? ['honoured', 'as in autopay.yaml']
    : ['warned', otherwise];
}

/** What becomes of the keys of the blueprint's litellm-router.yaml. docs/CONFIGURATION.md shows this table. */
export const blueprintKeys: KeyRules = {
  'routes.*.route': ['honoured', 'the model that clients ask for'],
  'routes.*.model': ['honoured', 'the model of every provider of the route; `models` of a provider translates it'],
  'routes.*.budget': ['honoured', 'price ceiling of the route, `maxPrice`'],
  'routes.*.providers': [
    'honoured',
    '`provider@label`, tried in this order; `@fallback` comes last. The label is the deployment’s region',
  ],
  'agentgpt.blockchain.payment_token': ['honoured', 'has to be one of `tokens`'],
  'agentgpt.blockchain.dispute_window': [
    'warned',
    'the dispute window is fixed in the contracts when they are deployed',
  ],
  payment_channels: passedOn('the relay pays its providers by their API keys'),
  auto_refill: passedOn('there are no channels to refill'),
};
