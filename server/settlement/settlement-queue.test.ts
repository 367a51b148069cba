import { describe, expect, it, vi } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createSettlementFixture, duePayment, nowMs, reverted, submissionHash } from './settlement-fixture.ts';

const paid = `0x${'bb'.repeat(32)}`;
const attributed = `0x${'cc'.repeat(32)}`;
const exactKinds = ['eip3009', 'permit2-exact'] as const;
const signedKinds = [...exactKinds, 'permit2-upto'] as const;

describe('a payment that is due', () => {
  it.each([...signedKinds, 'allowance'] as const)('is settled by its transaction: %s', async (kind) => {
    const payment = duePayment(kind);
    const { queue, sent, stateOf } = createSettlementFixture([payment]);
    expect(await queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: paid });
    expect(sent.map(({ purpose }) => purpose)).toEqual([`pay:${payment.paymentId}`]);
    expect(stateOf(payment)).toMatchObject({ state: 'settled', transactionHash: paid });
    // Once more: no second transaction.
    expect(await queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: paid });
    expect(sent).toHaveLength(1);
  });

  it('is taken once, however many ask at once', async () => {
    const payment = duePayment();
    const { queue, sent } = createSettlementFixture([payment]);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => queue.settle(payment.paymentId)));
    expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['settled']));
    expect(sent).toHaveLength(1);
  });

  it('that needed nothing, or nobody knows, is told as it is', async () => {
    const free = duePayment('permit2-upto', { state: 'settled', captured: 0n });
    const forgiven = duePayment('eip3009', { state: 'forgiven', lossReason: 'poor' });
    const { queue, sent } = createSettlementFixture([free, forgiven]);
    expect(await queue.settle(free.paymentId)).toEqual({ state: 'settled', transactionHash: null });
    expect(await queue.settle(forgiven.paymentId)).toEqual({ state: 'lost', reason: 'poor' });
    await expect(queue.settle(`0x${'00'.repeat(32)}`)).rejects.toThrow(expect.objectContaining({ code: 'not_found' }));
    expect(sent).toEqual([]);
  });

  it('stays pending while it takes longer than an answer may wait, and goes on', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    let mine: (() => void) | undefined;
    const mined = new Promise<void>((resolve) => (mine = resolve));
    subject.send = () => mined.then(() => ({ transactionHash: paid as `0x${string}` }));
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'pending' });
    expect(subject.stateOf(payment)?.state).toBe('due');
    mine?.();
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: paid });
    expect(subject.sent).toHaveLength(1);
  });

  it('is taken up by the next run after a failure of the chain, or a restart', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    const works = subject.send;
    subject.send = () => Promise.reject(new AutoPayError('chain_unavailable', 'down'));
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'pending' });
    await subject.queue.settleDue();
    expect(subject.queue.state()).toEqual({ due: 1, lost: 0 });
    subject.send = works;
    await subject.queue.settleDue();
    expect(subject.stateOf(payment)?.state).toBe('settled');
    expect(subject.queue.state()).toEqual({ due: 0, lost: 0 });
    expect(new Set(subject.sent.map(({ data }) => data)).size).toBe(1);
  });
});

it('payments that are stuck do not keep later ones from their turn', async () => {
  const stuck = Array.from({ length: 64 }, (_, at) =>
    duePayment('eip3009', { paymentId: `0x${String(at).padStart(64, '0')}` }),
  );
  const last = duePayment();
  const subject = createSettlementFixture([...stuck, last]);
  const works = subject.send;
  subject.send = (request) =>
    request.purpose === `pay:${last.paymentId}` ? works(request) : Promise.reject(reverted('PaymentDesk_NotRelay'));
  await subject.queue.settleDue();
  expect(subject.stateOf(last)?.state).toBe('settled');
  expect(subject.queue.state()).toEqual({ due: 64, lost: 0 });
});

describe('a settlement that the chain refuses', () => {
  it.each([
    ['the payer is poor', { balance: 999n, isPayable: false }, 'holds 999'],
    ['the nonce was cancelled', { isUsed: true }, 'cancelled'],
    ['the nonce paid somebody else', { isUsed: true, submission: 'to somebody else' }, 'cancelled'],
    ['the token refuses', { isPayable: false }, 'refuses'],
  ] as const)('is a loss where %s', async (_, changes, reason) => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, changes);
    subject.send = () => Promise.reject(reverted());
    const outcome = await subject.queue.settle(payment.paymentId);
    expect(outcome).toEqual({ state: 'lost', reason: expect.stringContaining(reason) });
    expect(subject.stateOf(payment)?.state).toBe('lost');
    expect(subject.logged).toMatchObject([{ level: 'error', facts: { amount: '1000' } }]);
  });

  it('is a loss where it has expired, or Permit2 may no longer take it', async () => {
    const expired = duePayment('eip3009', { validBefore: nowMs / 1_000 });
    const subject = createSettlementFixture([expired]);
    subject.world.isPayable = false;
    subject.send = () => Promise.reject(reverted());
    expect(await subject.queue.settle(expired.paymentId)).toMatchObject({ reason: expect.stringContaining('expired') });
    const revoked = createSettlementFixture([duePayment('permit2-upto')]);
    Object.assign(revoked.world, { isPayable: false, allowance: 0n });
    revoked.send = subject.send;
    expect(await revoked.queue.settle(duePayment('permit2-upto').paymentId)).toMatchObject({
      reason: expect.stringContaining('Permit2'),
    });
  });

  it.each(exactKinds)('is attributed where somebody else has brought the money: %s', async (kind) => {
    const payment = duePayment(kind);
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, submission: 'to the desk' });
    const works = subject.send;
    subject.send = (request) => (request.purpose.startsWith('pay:') ? Promise.reject(reverted()) : works(request));
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: attributed });
    expect(subject.sent.map(({ purpose }) => purpose.split(':')[0])).toEqual(['pay', 'attribute']);
  });

  it('is a loss where less arrives by an attribution than was charged, also when it is looked at again', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, submission: 'to the desk', arrives: 1n });
    const works = subject.send;
    subject.send = (request) => (request.purpose.startsWith('pay:') ? Promise.reject(reverted()) : works(request));
    const short = { state: 'lost', reason: expect.stringContaining('received 1 of it') };
    expect(await subject.queue.settle(payment.paymentId)).toEqual(short);
    expect(await subject.queue.settle(payment.paymentId)).toEqual(short);
    expect(subject.sent.map(({ purpose }) => purpose.split(':')[0])).toEqual(['pay', 'attribute', 'pay']);
  });

  it.each([
    ['PaymentDesk_NothingArrived', 'lost'],
    ['PaymentDesk_PaymentIncomplete', 'lost'],
    ['PaymentDesk_NotSubmitted', 'pending'],
  ])('to be attributed by %s is %s', async (contractError, state) => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, submission: 'to the desk' });
    subject.send = () => Promise.reject(reverted(contractError));
    expect(await subject.queue.settle(payment.paymentId)).toMatchObject({ state });
  });

  it.each([
    ['Error', 'lost'],
    ['PaymentDesk_NotRelay', 'pending'],
    [undefined, 'pending'],
  ])('of a wallet with code, that it takes in a simulation only, is by %s %s', async (contractError, state) => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    subject.world.code = '0x60';
    const facts = contractError === undefined ? {} : { contractError };
    subject.send = () => Promise.reject(new AutoPayError('transaction_reverted', 'The chain refused.', { facts }));
    expect(await subject.queue.settle(payment.paymentId)).toMatchObject({ state });
  });

  it('is a loss of upto, which nobody else can bring', async () => {
    const payment = duePayment('permit2-upto');
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, submission: 'to the desk' });
    subject.send = () => Promise.reject(reverted());
    expect(await subject.queue.settle(payment.paymentId)).toMatchObject({ state: 'lost' });
  });

  it('was settled long ago where the desk has received it', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, received: 1_000n });
    subject.send = () => Promise.reject(reverted());
    expect(await subject.queue.settle(payment.paymentId)).toEqual({
      ...{ state: 'settled', transactionHash: submissionHash },
    });
  });

  it('blames nobody where the payer could still pay, or the chain cannot be asked why', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    subject.send = () => Promise.reject(reverted('PaymentDesk_NotRelay'));
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'pending' });
    subject.world.isDown = true;
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'pending' });
    expect(subject.stateOf(payment)?.state).toBe('due');
  });

  it.each([
    ['AutoPayLLM_DailyCapExceeded', 'lost'],
    ['ERC20InsufficientAllowance', 'lost'],
    ['AutoPayLLM_OverBudget', 'pending'],
    ['AutoPayLLM_Frozen', 'pending'],
  ])('by %s is, of an allowance, %s', async (contractError, state) => {
    const payment = duePayment('allowance');
    const subject = createSettlementFixture([payment]);
    subject.send = () => Promise.reject(reverted(contractError));
    expect(await subject.queue.settle(payment.paymentId)).toMatchObject({ state });
  });
});

describe('a loss', () => {
  it('is settled after all when the payer has filled up, and is told once', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    const works = subject.send;
    Object.assign(subject.world, { balance: 0n, isPayable: false });
    subject.send = () => Promise.reject(reverted());
    await subject.queue.settle(payment.paymentId);
    await subject.queue.retryLosses();
    expect(subject.logged.filter(({ level }) => level === 'error')).toHaveLength(1);
    subject.send = works;
    subject.clock.nowMs += 60_000;
    await subject.queue.retryLosses();
    expect(subject.stateOf(payment)).toMatchObject({ state: 'settled', transactionHash: paid });
  });

  it('is tried less and less often, at last once an hour, and for 30 days at most', async () => {
    const payment = duePayment('allowance', { state: 'lost', lossReason: 'poor' });
    const subject = createSettlementFixture([payment]);
    subject.send = () => Promise.reject(reverted('ERC20InsufficientBalance'));
    const triesIn = async (minutes: number) => {
      const before = subject.sent.length;
      for (let minute = 0; minute < minutes; minute += 1) {
        await subject.queue.retryLosses();
        subject.clock.nowMs += 60_000;
      }
      return subject.sent.length - before;
    };
    expect([await triesIn(63), await triesIn(180)]).toEqual([6, 3]);
    subject.clock.nowMs = nowMs + 30 * 86_400_000 - 1;
    expect(await triesIn(1)).toBe(1);
    expect(await triesIn(120)).toBe(0);
  });

  it('is not tried again once it has expired', async () => {
    const payment = duePayment('eip3009', { state: 'lost', validBefore: nowMs / 1_000 - 1 });
    const { queue, sent } = createSettlementFixture([payment]);
    await queue.retryLosses();
    expect(sent).toEqual([]);
  });
});

describe('a facilitator outside', () => {
  it('is asked for what anybody may bring, and its payment is attributed', async () => {
    const payment = duePayment();
    const submit = vi.fn(() => {
      Object.assign(subject.world, { isUsed: true, submission: 'to the desk' });
      return Promise.resolve();
    });
    const subject = createSettlementFixture([payment], { submitter: { submit } });
    const works = subject.send;
    subject.send = (request) => (request.purpose.startsWith('pay:') ? Promise.reject(reverted()) : works(request));
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: attributed });
    expect(submit).toHaveBeenCalledOnce();
  });

  it('that fails is done without, and it is not asked for upto', async () => {
    const [exact, upto] = [duePayment(), duePayment('permit2-upto')];
    const submit = vi.fn(() => Promise.reject(new Error('down')));
    const { queue } = createSettlementFixture([exact, upto], { submitter: { submit } });
    expect(await queue.settle(exact.paymentId)).toEqual({ state: 'settled', transactionHash: paid });
    expect(await queue.settle(upto.paymentId)).toEqual({ state: 'settled', transactionHash: paid });
    expect(submit).toHaveBeenCalledOnce();
  });
});

describe('what an earlier process signed', () => {
  const hash = `0x${'ee'.repeat(32)}` as const;
  const mined = () => Promise.resolve({ transactionHash: hash, blockNumber: 20_000n });
  const long = { validBefore: nowMs / 1_000 - 1, lossReason: 'poor' };

  it.each([
    ['pay', 'lost'],
    ['pay', 'forgiven'],
    ['attribute', 'lost'],
    ['attribute', 'forgiven'],
  ] as const)('%s: a payment that is %s, past its time, is settled by it', async (purpose, state) => {
    const payment = duePayment('eip3009', { state, ...long });
    const subject = createSettlementFixture([payment]);
    subject.world.received = payment.captured;
    subject.signed.set(`${purpose}:${payment.paymentId}`, mined);
    await subject.queue.settleCarried();
    expect(subject.stateOf(payment)).toMatchObject({ state: 'settled', transactionHash: hash });
    expect(subject.sent).toEqual([]);
  });

  it('leaves a payment as it is where it reverted, brought too little, or is in no block', async () => {
    const payment = duePayment('eip3009', { state: 'forgiven', ...long });
    const subject = createSettlementFixture([payment]);
    const { paymentId } = payment;
    subject.world.received = payment.captured - 1n;
    subject.signed.set(`attribute:${paymentId}`, mined);
    for (const error of [reverted(), new AutoPayError('chain_unavailable', 'in no block yet')]) {
      subject.signed.set(`pay:${paymentId}`, () => Promise.reject(error));
      await subject.queue.settleCarried();
      subject.clock.nowMs += 3_600_000;
    }
    expect(subject.stateOf(payment)).toEqual(payment);
    expect(subject.sent).toEqual([]);
    subject.signed.set(`pay:${paymentId}`, mined);
    await subject.queue.settleCarried();
    expect(subject.stateOf(payment)?.state).toBe('settled');
  });

  it('is looked at less and less often', async () => {
    const payment = duePayment('permit2-upto', { state: 'forgiven', ...long });
    const { queue, signed, clock } = createSettlementFixture([payment]);
    const look = vi.fn(() => Promise.reject(reverted()));
    signed.set(`pay:${payment.paymentId}`, look);
    for (let minute = 0; minute < 63; minute += 1) {
      await queue.settleCarried();
      clock.nowMs += 60_000;
    }
    expect(look).toHaveBeenCalledTimes(6);
  });

  it('tells by what a due payment was settled, where the chain no longer does', async () => {
    const payment = duePayment();
    const subject = createSettlementFixture([payment]);
    Object.assign(subject.world, { isUsed: true, received: 1_000n, isLongAgo: true });
    subject.send = () => Promise.reject(reverted());
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'pending' });
    subject.signed.set(`attribute:${payment.paymentId}`, mined);
    expect(await subject.queue.settle(payment.paymentId)).toEqual({ state: 'settled', transactionHash: hash });
  });
});

it('a loss whose call is repeated is tried at once, and then once a minute', async () => {
  const payment = duePayment();
  const subject = createSettlementFixture([payment]);
  const works = subject.send;
  Object.assign(subject.world, { balance: 0n, isPayable: false });
  subject.send = () => Promise.reject(reverted());
  const repeat = () => subject.queue.settle(payment.paymentId);
  const lost = { state: 'lost', reason: expect.stringContaining('holds 0') as string };
  for (let repeats = 0; repeats < 20; repeats += 1) expect(await repeat()).toEqual(lost);
  // One for the call itself, and one for its repeats.
  expect(subject.sent).toHaveLength(2);
  subject.send = works;
  subject.clock.nowMs += 59_999;
  expect(await repeat()).toEqual(lost);
  subject.clock.nowMs += 1;
  expect(await repeat()).toEqual({ state: 'settled', transactionHash: paid });
});
