import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { parseCallId } from '../../../protocol/receipt/call-id.ts';
import { paymentIdOf } from '../../../protocol/payments/payment-id.ts';
import type { FinishedPayment } from '../../call/types.ts';
import { hashApiKey, isApiKey } from '../../keys/api-key.ts';
import type { KeyCache } from '../../keys/key-cache.ts';
import type { RateLimits } from '../../keys/rate-limits.ts';
import { scopesOfKey } from '../../keys/spending-scopes.ts';
import type { KeyWithProject } from '../../ledger/key-ledger.ts';
import type { ChannelState, ChargeResult, Ledger } from '../../ledger/ledger.ts';
import { requireSettled } from '../../settlement/require-settled.ts';
import type { SettlementQueue } from '../../settlement/settlement-queue.ts';
import type { MethodAdmission, PaymentMethod, PaymentRequest } from '../payment-method.ts';
import type { AllowanceReader } from './allowance-reader.ts';
import { readApiKey } from './read-api-key.ts';
import { readModel } from './read-model.ts';

/** What payment by API key needs. */
export interface KeyMethodOptions {
  cache: Pick<KeyCache, 'find'>;
  rates: RateLimits;
  ledger: Pick<Ledger, 'getChannel' | 'recallChannel'>;
  allowances: AllowanceReader;
  /** Takes what calls by allowance cost. */
  settlements: Pick<SettlementQueue, 'settle'>;
  /** Whose `executeLLMCall` takes allowances. */
  autoPayLLM: Hex;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** An admission that remembers until its call is charged whose it is. */
interface KeyAdmission extends MethodAdmission {
  admittedKey: { keyId: string; callId: string; payer: Hex };
}

/**
 * Payment by API key: the call is charged to what the key's payer has authorised before, the headroom of a channel, or the allowance
 * of its AGPT. Model, expiry and rate of the key are decided here; headroom and budgets in the ledger, with the reservation.
 */
export function createKeyMethod(options: KeyMethodOptions): PaymentMethod {
  const { allowances, cache, nowMs, rates, settlements } = options;

  return {
    name: 'key',
    carries: (headers) => readApiKey(headers) !== undefined,
    async admit(request) {
      const apiKey = readApiKey(request.headers);
      if (apiKey === undefined) return undefined;
      const found = isApiKey(apiKey) ? await cache.find(hashApiKey(apiKey)) : undefined;
      if (!found) throw invalidKey();
      requireUsable(found, request, nowMs());
      const { key } = found;
      rates.enter(key);
      const charged = await (key.mode === 'allowance'
        ? byAllowance(options, found, request)
        : byChannel(options, found));
      const admission: KeyAdmission = {
        ...charged,
        ...{ token: key.token, scopes: scopesOfKey(found, nowMs()), keyId: key.keyId },
        ...{ idempotencyScope: `key:${key.keyId}`, wantsPaymentEvents: false },
        mayCall: (model) => listsOf(found).every((models) => models.includes(model)),
        admittedKey: { keyId: key.keyId, callId: request.callId, payer: key.payer },
      };
      return admission;
    },
    challenge: () => undefined,
    async finish(admission, charge) {
      const known = isKeyAdmission(admission) ? admission.admittedKey : undefined;
      // An answer that is given again used nothing.
      if (known?.callId === charge.receipt.callId) rates.spend(known.keyId, tokensOf(charge));
      if (charge.payment && charge.payment.captured > 0n) {
        try {
          await requireSettled(settlements, charge.payment.paymentId);
        } catch (error) {
          throw explainPending(error);
        } finally {
          if (known) allowances.forget(known.payer);
        }
      }
      return nothing;
    },
  };
}

const nothing: FinishedPayment = { headers: {}, events: '' };

function isKeyAdmission(admission: MethodAdmission): admission is KeyAdmission {
  return 'admittedKey' in admission;
}

/** Nobody signed anything that could be sent again: another request is another call, unless it says that it is the same. */
function explainPending(error: unknown): unknown {
  if (!(error instanceof AutoPayError) || error.code !== 'settlement_pending') return error;
  const message =
    'The allowance is being charged. Send the same request again with the same Idempotency-Key; without one it would be another call.';
  return new AutoPayError('settlement_pending', message, { facts: error.facts, cause: error });
}

function tokensOf({ receipt }: ChargeResult): number {
  return receipt.usage.prompt + receipt.usage.completion;
}

function requireUsable({ key, project }: KeyWithProject, request: PaymentRequest, nowMs: number): void {
  if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) {
    const expiredAt = new Date(key.expiresAtMs).toISOString();
    const message = `This API key expired at ${expiredAt}. Have its owner make another, or extend it.`;
    throw new AutoPayError('api_key_expired', message, { facts: { expiredAt } });
  }
  const lists = listsOf({ key, project });
  if (lists.length === 0) return;
  const model = readModel(request.body);
  if (model === undefined || lists.every((models) => models.includes(model))) return;
  const allowed = lists.reduce((left, right) => left.filter((name) => right.includes(name)));
  throw new AutoPayError(
    'model_not_allowed',
    `This API key may not call "${model.slice(0, 128)}". Take another model or key.`,
    {
      param: 'model',
      facts: { allowedModels: allowed.slice(0, 32).join(', ') },
    },
  );
}

/** The lists of models that bind a key; a call of another model, also one that answers in another's place, is not its to pay. */
function listsOf({ key, project }: Pick<KeyWithProject, 'key' | 'project'>): (readonly string[])[] {
  return [key.models, project?.models ?? null].filter((models) => models !== null);
}

type Charged = Pick<MethodAdmission, 'funds' | 'channel' | 'headroom'>;

async function byChannel({ ledger }: KeyMethodOptions, { key, channelId }: KeyWithProject): Promise<Charged> {
  const channel = channelId && (ledger.recallChannel(channelId) ?? (await ledger.getChannel(channelId)));
  if (!channel) {
    const message =
      'The payer of this key has not said yet which channel keys may spend from. Sign a voucher on a channel in this token and send it to ' +
      'POST /v1/keys/headroom.';
    throw new AutoPayError('insufficient_headroom', message, { facts: { payer: key.payer, token: key.token } });
  }
  return { funds: { kind: 'key', channelId: channel.channelId }, channel, headroom: headroomOf(channel) };
}

/** What is signed and neither spent nor held; what the deposit does not cover is no headroom. */
export function headroomOf({ acceptedCumulative, charged, deposit, reserved }: ChannelState): bigint {
  const covered = acceptedCumulative < deposit ? acceptedCumulative : deposit;
  const left = covered - charged - reserved;
  return left > 0n ? left : 0n;
}

async function byAllowance(
  { allowances, autoPayLLM }: KeyMethodOptions,
  { key }: KeyWithProject,
  request: PaymentRequest,
): Promise<Charged> {
  const { payer, token } = key;
  const { available } = await allowances.read(payer, request.quotes()?.get(token));
  const nonce: Hex = `0x${parseCallId(request.callId).toString('hex').padStart(64, '0')}`;
  const paymentId = paymentIdOf({ kind: 'allowance', contract: autoPayLLM, payer, nonce });
  // Nobody signed one: what is available decides.
  const maximum = 2n ** 128n - 1n;
  const payment = {
    paymentId,
    kind: 'allowance',
    payer,
    token,
    maximum,
    payload: '{}',
    validBefore: null,
    available,
  } as const;
  return { funds: { kind: 'direct', payment }, channel: null, headroom: available };
}

function invalidKey(): AutoPayError {
  const message = 'This API key is not known here, or was deleted. Make one at POST /v1/keys.';
  return new AutoPayError('invalid_api_key', message);
}
