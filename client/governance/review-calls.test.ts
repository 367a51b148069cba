import { BaseError, encodeErrorResult } from 'viem';
import { describe, expect, it } from 'vitest';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';
import { fakeDeployment, fakeNow, type FakeAnswers } from '../testing/fake-deployment.ts';
import {
  proposeBudgetRemoval,
  proposeDefaultBudget,
  proposeModelBudget,
  proposeOverBudgetRelease,
  proposePriceRetirement,
  proposePriceRoot,
  proposeProvider,
  proposeRate,
  proposeRelayRoles,
  proposeRuling,
  type ProposalDraft,
} from './build-proposal.ts';
import { describeRate } from './describe-call.ts';
import { encodeCall } from './governance-call.ts';
import { formatEffect } from './preview-effects.ts';
import { reviewCalls } from './review-calls.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';

const million = 10n ** 24n;
const payout: Hex = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const root: Hex = `0x${'77'.repeat(32)}`;
const usdc: Hex = `0x${'dc'.repeat(20)}`;
/** Two hours and a minute from proposal to execution. */
const timing = { votingDelay: 0n, votingPeriod: 60n, getMinDelay: 7_200n };
const dispute = { kind: 8, token: usdc, amount: 5_000_000n, payer: payout };
const spend = { day: 20_000, provider: nameId('simulated'), payout, amount: 1_000_000n };
const spends = [
  { ...spend, model: nameId('sim-small'), withinBudget: true },
  { ...spend, model: nameId('sim-large'), amount: 2_500_000n, withinBudget: false },
];
const answers: FakeAnswers = {
  ...timing,
  limitOf: million,
  defaultLimitOf: 2n * million,
  rateOf: 100n * 10n ** 30n,
  periodOf: { from: 0n, until: 0n },
  MIN_NOTICE: 600n,
  isNameRegistered: false,
  payoutOf: zeroAddress,
  hasRole: false,
  getDispute: dispute,
  getBatch: { token: usdc },
  Booked: [{ args: { batchId: 7n, token: usdc, logSize: 0n, spends }, transactionHash: root }],
  NameRegistered: [
    { args: { id: nameId('sim-large'), name: 'sim-large' } },
    { args: { id: nameId('simulated'), name: 'simulated' } },
  ],
};

type Build = (deployment: OpenDeployment) => ProposalDraft | Promise<ProposalDraft>;

const cases: [title: string, build: Build, calls: [text: string, effect: string][]][] = [
  [
    'Set the budget of model sim-small to 5 AGPT per day',
    (deployment) => proposeModelBudget(deployment, 'sim-small', '5'),
    [
      [
        'ModelBudgets.setModelBudget(model: "sim-small", dailyLimit: 5 AGPT per day)',
        'sim-small: 1,000,000 AGPT per day → 5 AGPT per day, from the UTC day after its execution, at the earliest 2026-11-22',
      ],
    ],
  ],
  [
    'Let the default budget hold for model sim-small',
    (deployment) => proposeBudgetRemoval(deployment, 'sim-small'),
    [
      [
        'ModelBudgets.removeModelBudget(model: "sim-small")',
        'sim-small: 1,000,000 AGPT per day → the default, 2,000,000 AGPT per day, from the UTC day after its execution, at the earliest 2026-11-22',
      ],
    ],
  ],
  [
    'Set the default budget of models to 0.5 AGPT per day',
    (deployment) => proposeDefaultBudget(deployment, '0.5'),
    [
      [
        'ModelBudgets.setDefaultBudget(dailyLimit: 0.5 AGPT per day)',
        'models without a budget of their own: 2,000,000 AGPT per day → 0.5 AGPT per day, from the UTC day after its execution, at the earliest 2026-11-22',
      ],
    ],
  ],
  [
    'Count one USDC as 250 AGPT against budgets',
    (deployment) => proposeRate(deployment, 'usdc', '250'),
    [
      [
        'ModelBudgets.setAccountingRate(token: USDC, rate: 250 AGPT per USDC)',
        'one USDC against budgets: 100 AGPT per USDC → 250 AGPT per USDC, from the UTC day after its execution, at the earliest 2026-11-22',
      ],
    ],
  ],
  [
    `Publish the price table ${root}`,
    (deployment) => proposePriceRoot(deployment, root),
    [
      [
        `PriceBook.publishPriceRoot(root: ${root}, from: its execution)`,
        `price table ${root}: not published → in force, from its execution, at the earliest 2026-11-21T14:01:00Z`,
      ],
    ],
  ],
  [
    `Retire the price table ${root}`,
    (deployment) => proposePriceRetirement(deployment, root),
    [
      [
        `PriceBook.retirePriceRoot(root: ${root}, until: the end of the shortest notice)`,
        `price table ${root}: not published → not in force, 10 minutes after its execution, at the earliest 2026-11-21T14:11:00Z`,
      ],
    ],
  ],
  [
    `Pay provider groq at ${payout}`,
    (deployment) => proposeProvider(deployment, 'groq', payout),
    [
      [
        'AutoPayLLM.registerName(name: "groq")',
        'the name groq: not published → published, from its execution, at the earliest 2026-11-21T14:01:00Z',
      ],
      [
        `AutoPayLLM.setProvider(provider: groq, payout: ${payout})`,
        `payout address of groq: none → ${payout}, for what is booked from its execution, at the earliest 2026-11-21T14:01:00Z`,
      ],
    ],
  ],
  [
    `Let ${payout} be a relay no longer`,
    (deployment) => proposeRelayRoles(deployment, 'revokeRole', payout),
    (['RELAY_ROLE AutoPayLLM', 'ANCHOR_ROLE AuditLog', 'KEYS_ROLE KeyRegistry'] as const).map((pair) => {
      const [role = '', contract = ''] = pair.split(' ');
      return [
        `${contract}.revokeRole(role: ${role}, account: ${payout})`,
        `${role} of ${contract} for ${payout}: has it not → has it not, from its execution, at the earliest 2026-11-21T14:01:00Z`,
      ];
    }),
  ],
  [
    'Rule on dispute 3: refund 1.5 USDC',
    (deployment) => proposeRuling(deployment, 3n, '1.5'),
    [
      [
        'BillingDisputes.rule(disputeId: 3, refund: 1.5 USDC)',
        `dispute 3: 5 USDC claimed by ${payout} → 1.5 USDC refunded from the relay's bond, without a penalty, from its execution, at the earliest 2026-11-21T14:01:00Z`,
      ],
    ],
  ],
  [
    'Release what booking 7 withheld',
    (deployment) => proposeOverBudgetRelease(deployment, 7n),
    [
      [
        'AutoPayLLM.releaseOverBudget(batchId: 7, spends: 2 booked, withheld: 2.5 USDC on sim-large at simulated of 2024-10-04, anchor: none needed)',
        'booking 7: 2.5 USDC withheld → 2.5 USDC may be withdrawn by its providers, from its execution, at the earliest 2026-11-21T14:01:00Z',
      ],
    ],
  ],
];

describe('what a signer is shown', () => {
  it.each(cases)('%s', async (title, build, calls) => {
    const deployment = fakeDeployment(answers);
    const draft = await build(deployment);
    expect(draft.title).toBe(title);
    const reviewed = await reviewCalls(deployment, draft.calls);
    expect(reviewed.map(({ text, effect }) => [text, effect && formatEffect(effect)])).toEqual(calls);
    expect(reviewed.every(({ failure, isSimulated }) => isSimulated && failure === null)).toBe(true);
  });

  it.each([
    ['was never set', [], 'from its execution, at the earliest 2026-11-21T14:01:00Z'],
    ['was set for another token', [payout], 'from its execution, at the earliest 2026-11-21T14:01:00Z'],
    ['was set, and is zero', [usdc], 'from the UTC day after its execution, at the earliest 2026-11-22'],
  ] as const)('knows from when a rate holds that %s', async (_what, tokens, from) => {
    const AccountingRateSet = tokens.map((token) => ({ args: { token, rate: 0n, fromDay: 1 } }));
    const deployment = fakeDeployment({ ...answers, rateOf: 0n, AccountingRateSet });
    const [call] = await reviewCalls(deployment, proposeRate(deployment, 'USDC', '250').calls);
    expect(call?.effect).toMatchObject({ before: 'nothing (its spends are over budget)', from });
  });

  it('says when a price table begins or ends that does not do so at once', async () => {
    const at = BigInt(fakeNow) + 86_400n;
    const deployment = fakeDeployment({ ...answers, periodOf: { from: at, until: 0n } });
    const call = (functionName: string, time: bigint) =>
      encodeCall(deployment.contracts, { contract: 'priceBook', functionName, args: [root, time] });
    const calls = [call('publishPriceRoot', at), call('retirePriceRoot', at + 60n), call('retirePriceRoot', 0n)];
    const effects = (await reviewCalls(deployment, calls)).map(({ effect }) => effect);
    const before = 'in force from 2026-11-22T12:00:00Z';
    expect(effects).toMatchObject([
      { before, after: 'in force', from: 'from 2026-11-22T12:00:00Z' },
      { before, after: 'not in force', from: 'from 2026-11-22T12:01:00Z' },
      // It cannot end before it begins.
      { before, after: 'not in force', from: expect.stringContaining('at the earliest 2026-11-22T12:00:00Z') },
    ]);
  });

  it('does not take a small rate for none', () => {
    const unit = { symbol: 'USDC', decimals: 6 };
    expect(describeRate(1n, unit)).toBe(`0.${'0'.repeat(29)}1 AGPT per USDC`);
    expect(describeRate(0n, unit)).toContain('nothing');
  });

  it('does not register a name twice', async () => {
    const { calls } = await proposeProvider(fakeDeployment({ ...answers, isNameRegistered: true }), 'groq', payout);
    expect(calls).toHaveLength(1);
  });

  it('says that a call is unknown, rather than guess', async () => {
    const deployment = fakeDeployment(answers);
    const stranger = { target: payout, value: 10n ** 18n, calldata: '0xdeadbeef' } as const;
    const [call] = await reviewCalls(deployment, [stranger]);
    expect(call).toMatchObject({ effect: null, value: '1000000000000000000' });
    expect(call?.text).toBe(`UNKNOWN CALL of ${payout} with 1 ETH: 0xdeadbeef. Nobody can say here what it does.`);
    const [garbled] = await reviewCalls(deployment, [{ ...stranger, target: deployment.contracts.modelBudgets }]);
    expect(garbled?.text).toMatch(/^UNKNOWN CALL of /);
  });

  it('says why a ruling would fail, in the token of the dispute', async () => {
    const deployment = fakeDeployment(answers);
    const errorName = 'BillingDisputes_AmountOutOfRange';
    const data = encodeErrorResult({ abi: billingDisputesAbi, errorName, args: [7_000_000n, 5_000_000n] });
    const reverted = new BaseError('The call failed.', { cause: Object.assign(new BaseError('reverted'), { data }) });
    const reader = { ...deployment.reader, call: () => Promise.reject(reverted) } as never;
    const { calls } = await proposeRuling(deployment, 3n, '7');
    const [call] = await reviewCalls({ ...deployment, reader }, calls);
    expect(call?.failure).toContain('7 USDC cannot be claimed; say an amount above zero and at most 5 USDC');
  });

  it('neither simulates nor previews what is over', async () => {
    const deployment = fakeDeployment(answers);
    const { calls } = proposeModelBudget(deployment, 'sim-small', '5');
    const over = { state: 'executed', voteEnd: 0, executableAt: 0 } as never;
    expect(await reviewCalls(deployment, calls, over)).toMatchObject([{ effect: null, isSimulated: false }]);
  });
});

describe('what is refused before anything is signed', () => {
  it.each<[string, Build]>([
    ['an empty name', (deployment) => proposeModelBudget(deployment, '', '5')],
    ['a name that is too long', (deployment) => proposeBudgetRemoval(deployment, 'x'.repeat(129))],
    ['a negative amount', (deployment) => proposeDefaultBudget(deployment, '-1')],
    ['an unknown token', (deployment) => proposeRate(deployment, 'DOGE', '1')],
    ['an unknown booking', (deployment) => proposeOverBudgetRelease(deployment, 8n)],
  ])('%s', async (_name, build) => {
    const building = async () => build(fakeDeployment(answers));
    await expect(building()).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('an unknown dispute', async () => {
    const deployment = fakeDeployment({ ...answers, getDispute: { ...dispute, kind: 0 } });
    await expect(proposeRuling(deployment, 9n, '1')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('a booking whose log is not anchored yet', async () => {
    const [booked] = answers['Booked'] as [{ args: object }];
    const deployment = fakeDeployment({ ...answers, Booked: [{ ...booked, args: { ...booked.args, logSize: 3n } }] });
    await expect(proposeOverBudgetRelease(deployment, 7n)).rejects.toThrow('not anchored up to entry 3');
  });

  it('takes the first anchor that covers a booking', async () => {
    const [booked] = answers['Booked'] as [{ args: object }];
    const anchor = (previousSize: bigint, size: bigint) => ({
      args: { size, previousSize, anchoredAt: 1n, root, cid: root },
    });
    const deployment = fakeDeployment({
      ...answers,
      Booked: [{ ...booked, args: { ...booked.args, logSize: 3n } }],
      Anchored: [anchor(0n, 2n), anchor(2n, 5n), anchor(5n, 9n)],
    });
    const { calls } = await proposeOverBudgetRelease(deployment, 7n);
    expect((await reviewCalls(deployment, calls))[0]?.text).toContain('anchor: at 5 entries');
  });
});
