import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { decodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { maxAmount } from './amount-blob.ts';
import type {
  AttemptRecord,
  BudgetTerms,
  ChannelOnChain,
  ChargeRequest,
  ChargeResult,
  DirectPayment,
  Idempotency,
  ReserveRequest,
} from './ledger.ts';

/*
 * Values for the ledger's own tests and its benchmark.
 */

/** The relay whose books the tests keep. */
export const testScope = { chainId: 31337, verifyingContract: `0x${'aa'.repeat(20)}` } as const;
/** The same relay on another chain, where its contracts have the same addresses. */
export const otherScope = { ...testScope, chainId: 31338 } as const;
/** Signs the receipts of the tests. */
export const testKey: Uint8Array = Buffer.alloc(32, 7);
/** The token of the tests' channels. */
export const testToken: Hex = `0x${'cc'.repeat(20)}`;

/** A channel with a deposit of 1,000,000 unless told otherwise. */
export function someChannel(overrides: Partial<ChannelOnChain> = {}): ChannelOnChain {
  return {
    channelId: toHex(randomBytes(32)),
    payer: toHex(randomBytes(20)),
    payee: testScope.verifyingContract,
    token: testToken,
    salt: toHex(randomBytes(32)),
    authorizedSigner: zeroAddress,
    deposit: 1_000_000n,
    settled: 0n,
    closeRequestedAt: 0,
    finalized: false,
    readAtBlock: 1,
    ...overrides,
  };
}

/** A budget that stops nothing, in which each atomic unit counts one AGPT wei. */
export function wideBudget(admittedAtMs: number): BudgetTerms {
  return { day: Math.floor(admittedAtMs / 86_400_000), limitAgpt: 2n ** 128n - 1n, rate: 10n ** 18n };
}

/** A reservation on a channel and a wide budget, or on a free route without either. */
export function someReserve(
  voucher: { channelId: Hex; cumulativeAmount: bigint } | null,
  quote: bigint,
  overrides: Partial<ReserveRequest> = {},
): ReserveRequest {
  const { admittedAtMs = 1_790_000_000_000 } = overrides;
  return {
    callId: createCallId(),
    funds: voucher === null ? null : { kind: 'voucher', voucher: { ...voucher, signature: toHex(randomBytes(65)) } },
    scopes: [],
    idempotency: null,
    maxUnsettled: null,
    keyId: null,
    token: testToken,
    quote,
    model: 'sim-small',
    budget: voucher === null ? null : wideBudget(admittedAtMs),
    admittedAtMs,
    leaseUntilMs: 1_790_000_600_000,
    ...overrides,
  };
}

/** A direct payment of up to 1,000, by EIP-3009 unless told otherwise. */
export function somePayment(overrides: Partial<DirectPayment> = {}): DirectPayment {
  return {
    paymentId: toHex(randomBytes(32)),
    kind: 'eip3009',
    payer: toHex(randomBytes(20)),
    token: testToken,
    maximum: 1_000n,
    payload: '{"nonce":"0x01"}',
    validBefore: 1_790_000_600,
    available: maxAmount,
    ...overrides,
  };
}

/** A reservation that a direct payment is for. */
export function someDirectReserve(
  payment: DirectPayment,
  quote: bigint,
  overrides: Partial<ReserveRequest> = {},
): ReserveRequest {
  const { admittedAtMs, ...paid } = someReserve(null, quote);
  const budget = wideBudget(overrides.admittedAtMs ?? admittedAtMs);
  return { ...paid, admittedAtMs, budget, funds: { kind: 'direct', payment }, ...overrides };
}

/** An idempotency key of a body. */
export function someKey(key = 'one', body = 'a', scope = 'tests'): Idempotency {
  return { scope, key, bodyDigest: `0x${Buffer.from(body).toString('hex').padStart(64, '0')}` };
}

/** One attempt that went well. */
export function someAttempt(overrides: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    number: 1,
    provider: 'simulated',
    deployment: 'simulated@local',
    startedAtMs: 1_790_000_000_001,
    endedAtMs: 1_790_000_000_100,
    outcome: 'ok',
    status: 200,
    usage: {
      prompt: 10,
      cachedPrompt: 0,
      cacheWrite: 0,
      audioPrompt: 0,
      completion: 5,
      reasoning: 0,
      audioCompletion: 0,
    },
    usageKind: 'exact',
    ...overrides,
  };
}

/** A charge of a reserved call. */
export function someCharge(
  callId: string,
  metered: bigint,
  receipt: Partial<ChargeRequest['receipt']> = {},
): ChargeRequest {
  return {
    callId,
    metered,
    receipt: {
      token: testToken,
      priceRoot: zeroBytes32,
      oracleRound: 0n,
      usage: {
        prompt: 10,
        cachedPrompt: 0,
        cacheWrite: 0,
        audioPrompt: 0,
        completion: 5,
        reasoning: 0,
        audioCompletion: 0,
      },
      requestCommitment: toHex(randomBytes(32)),
      responseCommitment: toHex(randomBytes(32)),
      attemptsDigest: toHex(randomBytes(32)),
      evidenceTier: 'relay-signed',
      usageKind: 'exact',
      modelAsked: 'sim-small',
      modelServed: 'sim-small-1',
      provider: 'simulated',
      deployment: 'simulated@local',
      ...receipt,
    },
    requestSalt: randomBytes(32),
    responseSalt: randomBytes(32),
    attempts: [someAttempt()],
    answer: null,
  };
}

/** A folder that is deleted by `remove`. */
export function temporaryFolder(): { dataDir: string; remove: () => void } {
  const dataDir = mkdtempSync(join(tmpdir(), 'autopay-ledger-'));
  return { dataDir, remove: () => rmSync(dataDir, { recursive: true, force: true }) };
}

/**
 * Makes the COMMIT of every transaction that reserves a call fail, as a broken disk would: a deferred foreign key is checked only there,
 * so reservations are decided before.
 * @returns mends it
 */
export function breakCommits(db: DatabaseSync): () => void {
  db.exec(`
    CREATE TABLE parent (x INTEGER PRIMARY KEY);
    CREATE TABLE poison (x INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER poisoned AFTER INSERT ON calls BEGIN INSERT INTO poison VALUES (1); END;
  `);
  return () => db.exec('DROP TRIGGER poisoned');
}

/** The signed receipt of a charge, read. */
export function signedOf({ signedReceipt }: ChargeResult): SignedReceipt {
  return decodeSignedReceipt(signedReceipt);
}
