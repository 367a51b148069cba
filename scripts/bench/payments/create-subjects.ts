import { randomBytes } from 'node:crypto';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { parseChallenges } from '../../../protocol/mpp/challenge.ts';
import { createApiKey, hashApiKey } from '../../../server/keys/api-key.ts';
import { createKeyCache } from '../../../server/keys/key-cache.ts';
import { someKey } from '../../../server/keys/key-fixtures.ts';
import { createRateLimits } from '../../../server/keys/rate-limits.ts';
import { someReserve, wideBudget } from '../../../server/ledger/ledger-fixtures.ts';
import type { Funds, VerifiedVoucher } from '../../../server/ledger/ledger.ts';
import type { openLedger } from '../../../server/ledger/open-ledger.ts';
import { createEvmSession } from '../../../server/payments/evm-session/evm-session.ts';
import { createChallengeIssuer } from '../../../server/payments/evm-session/issue-challenge.ts';
import type { VoucherRecoverer } from '../../../server/payments/evm-session/recover-vouchers.ts';
import {
  authorize,
  createChannel,
  createWallet,
  terms as sessionTerms,
  usdc,
} from '../../../server/payments/evm-session/session-fixture.ts';
import { createKeyMethod } from '../../../server/payments/key/key-method.ts';
import type { PaymentMethod, RequestHeaders } from '../../../server/payments/payment-method.ts';
import { guardVerifier } from '../../../server/payments/x402/guard-verifier.ts';
import { createLocalVerifier } from '../../../server/payments/x402/verify-locally.ts';
import { paymentHeaders, signPayment, terms as x402Terms } from '../../../server/payments/x402/x402-fixture.ts';
import { createX402 } from '../../../server/payments/x402/x402-method.ts';
import type { StateReader } from '../../../server/settlement/read-payer-state.ts';

type Books = Awaited<ReturnType<typeof openLedger>>;

/** What each call holds, atomic units. */
export const quote = 250n;

/** One way to pay, and the headers of calls that are paid by it. */
export interface Subject {
  method: PaymentMethod;
  calls: readonly RequestHeaders[];
}

const nowMs = Date.now;
const body = Buffer.from('{"model":"sim-small","messages":[{"role":"user","content":"Say hello."}],"max_tokens":16}');
const unexpected = () => Promise.reject(new Error('a payment of the benchmark does not get here'));

/** The method's part of an admission: headers to funds that are genuine. */
async function admit({ method }: Subject, headers: RequestHeaders): Promise<Funds> {
  const request = { headers, body, path: '/v1/chat/completions', callId: '', quotes: () => undefined };
  const admission = await method.admit(request);
  if (!admission?.funds) throw new Error('a payment of the benchmark was not admitted');
  return admission.funds;
}

/** The whole of an admission: the funds, and the quote held against them, durably. */
export async function admitAndReserve(ledger: Books, subject: Subject, headers: RequestHeaders): Promise<void> {
  const funds = await admit(subject, headers);
  const token = funds.kind === 'direct' ? funds.payment.token : usdc;
  const admittedAtMs = nowMs();
  const outcome = await ledger.reserve(
    someReserve(null, quote, { funds, token, budget: wideBudget(admittedAtMs), admittedAtMs }),
  );
  if (!outcome.ok) throw new Error(`the books refused a payment of the benchmark: ${outcome.refusal.code}`);
  await outcome.durable;
}

/** A voucher for each call, on 8 channels in turn, and viem's view of the same vouchers. */
export async function createVoucherSubject(
  options: { ledger: Books; recoverer: VoucherRecoverer },
  count: number,
): Promise<Subject & { vouchers: VerifiedVoucher[]; channelIds: Hex[] }> {
  const { ledger, recoverer } = options;
  const wallet = createWallet('1');
  const channels = Array.from({ length: 8 }, () =>
    createChannel(wallet, { salt: toHex(randomBytes(32)), deposit: quote * BigInt(count + 8) }),
  );
  for (const channel of channels) await ledger.upsertChannel(channel);
  const secret = randomBytes(32);
  const issuer = createChallengeIssuer({ terms: sessionTerms, realm: 'relay', secret, ttlSeconds: 3_600, nowMs });
  const method = createEvmSession({
    ...{ terms: sessionTerms, issuer, recoverer, ledger, nowMs },
    // The channels are known and open: the chain is not asked.
    reader: { readChannel: unexpected, readOpenTransaction: unexpected, readTopUpTransaction: unexpected },
    deposits: { deposit: unexpected },
    closer: { close: unexpected },
  });
  const offered = method.challenge({ quotes: new Map([[usdc, quote]]), path: '/', message: '' });
  const [challenge] = parseChallenges(offered?.headers(1)['WWW-Authenticate'] ?? '');
  if (!challenge) throw new Error('the method made no challenge');
  const vouchers: VerifiedVoucher[] = [];
  const calls = Array.from({ length: count }, (_, index) => {
    const { channelId } = channels[index % 8] ?? createChannel(wallet);
    const cumulative = quote * BigInt(Math.floor(index / 8) + 1);
    vouchers.push({ channelId, cumulativeAmount: cumulative, signature: wallet.sign(channelId, cumulative) });
    return { authorization: authorize({ challenge, channelId, cumulative, signer: wallet }) };
  });
  return { method, calls, vouchers, channelIds: channels.map(({ channelId }) => channelId) };
}

/** One API key, whose calls are charged to a channel's headroom. */
export async function createKeySubject(ledger: Books, count: number): Promise<Subject> {
  const wallet = createWallet('2');
  const deposit = quote * BigInt(count);
  const channel = createChannel(wallet, { deposit });
  const { channelId, payer, token } = channel;
  await ledger.upsertChannel(channel);
  const voucher = { channelId, cumulativeAmount: deposit, signature: wallet.sign(channelId, deposit) };
  await ledger.acceptHeadroom({ voucher, nowMs: nowMs() });
  const apiKey = createApiKey();
  await ledger.putKey(someKey({ secretHash: hashApiKey(apiKey), payer, token }));
  const method = createKeyMethod({
    ...{ cache: createKeyCache({ ledger, nowMs }), rates: createRateLimits(nowMs), ledger, nowMs },
    allowances: { read: unexpected, forget: () => undefined },
    settlements: { settle: unexpected },
    autoPayLLM: sessionTerms.recipient,
  });
  return { method, calls: Array.from({ length: count }, () => ({ authorization: `Bearer ${apiKey}` })) };
}

/** An EIP-3009 payment for each call, signed by the client of `@x402/evm`; a chain that answers at once stands in for a node. */
export async function createX402Subject(ledger: Books, count: number): Promise<Subject> {
  const answers: Readonly<Record<string, unknown>> = { balanceOf: 2n ** 100n, authorizationState: false };
  const client = {
    getCode: () => Promise.resolve(undefined),
    readContract: ({ functionName }: { functionName: string }) => Promise.resolve(answers[functionName]),
    call: () => Promise.resolve({ data: '0x' }),
  } as unknown as StateReader;
  const local = createLocalVerifier({ client, terms: x402Terms });
  const method = createX402({
    ...{ terms: x402Terms, verifier: guardVerifier(local, { chainId: x402Terms.chainId, nowMs }), ledger, nowMs },
    settlement: { settle: unexpected },
  });
  const calls: RequestHeaders[] = [];
  for (let index = 0; index < count; index += 1) calls.push(paymentHeaders(await signPayment({ amount: quote })));
  return { method, calls };
}
