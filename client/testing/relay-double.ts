import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fromHex, toHex, zeroAddress, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey, recoverSigner, signDigest } from '../../protocol/bytes/secp256k1.ts';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { encodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { formatChallenge } from '../../protocol/mpp/challenge.ts';
import { parseCredential } from '../../protocol/mpp/credential.ts';
import { sessionPayloadSchema } from '../../protocol/mpp/session-schemas.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { costOfUsage, promptOverheadTokens, quoteOfBounds } from '../../protocol/pricing/token-prices.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { commit, createSalt } from '../../protocol/receipt/commitments.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import { voucherDigest, voucherDomainSeparator } from '../../protocol/typed-data/voucher.ts';
import type { PayToken } from '../fetch-relay-terms.ts';

const relayKey = Buffer.alloc(32, 0x11);
const address = (byte: string): Hex => `0x${byte.repeat(20)}`;

/** The terms that the double states. */
export const doubleTerms = {
  chainId: 31_337,
  escrow: address('ec'),
  payee: address('a1'),
  priceOracle: address('c0'),
  priceBook: address('b0'),
  keyRegistry: address('4e'),
  token: { symbol: 'USDC', address: address('dc'), decimals: 6 },
  relay: addressOfPrivateKey(relayKey),
};
const prices = plainPrices(1_000_000n, 2_000_000n);
const defaultOutputTokens = 1_000;
const contextTokens = 8_000;
const usage = {
  prompt: 10,
  cachedPrompt: 0,
  cacheWrite: 0,
  audioPrompt: 0,
  completion: 5,
  reasoning: 0,
  audioCompletion: 0,
};
/** What each paid call of the double costs. */
export const doubleCharge = costOfUsage(usage, { prices, conversion: null });

/** What the double does other than an honest relay. */
interface Mischief {
  changeReceipt?: (receipt: CallReceipt) => CallReceipt;
  omitReceipt?: boolean;
  signWith?: Uint8Array;
  escrow?: Hex;
  /** Other contracts than those of its terms. */
  contracts?: { priceOracle?: Hex; priceBook?: Hex; keyRegistry?: Hex };
  /** Another number of its token's decimals. */
  decimals?: number;
  /** Tokens that it takes besides its own. */
  moreTokens?: PayToken[];
  /** When it says that it signed, unix milliseconds. */
  signedAtMs?: number;
  changeFacts?: (facts: Record<string, string>) => Record<string, string>;
  /** Refuses every voucher as too small. */
  refuseVouchers?: boolean;
  /** Its prices, as published and as quoted, are this many times what they were. */
  priceFactor?: bigint;
  /** Streams: cut the connection after the first event. */
  cutStream?: boolean;
  /** Streams: wait before `[DONE]`. */
  delayMs?: number;
  /** JSON: so many answers are lost after the charge. */
  lostAnswers?: number;
  /** So many paid calls are first told to come again. */
  pendingAnswers?: number;
  /** Keeps no answers under Idempotency-Keys. */
  forgetKeys?: boolean;
}

/** The books of the double for one channel. */
interface DoubleBooks {
  payer: Hex;
  deposit: bigint;
  accepted: bigint;
  charged: bigint;
  reserved: bigint;
  sequence: number;
  used: Set<bigint>;
}

/**
 * A double of the relay, for tests of the wallet without server, contracts and chain. It speaks the wire of docs/PROTOCOL.md
 * and keeps honest books of vouchers; it knows no provider, no disk and no chain. The real relay is met in test/e2e.
 */
export interface RelayDouble {
  url: string;
  books: Map<Hex, DoubleBooks>;
  mischief: Mischief;
  /** The Authorization header of each POST; empty where there was none. */
  authorizations: string[];
  /** The length of the body of each POST. */
  bodyLengths: number[];
  /** The Idempotency-Key of each POST; empty where there was none. */
  keys: string[];
  /** How many vouchers were refused. */
  refused: () => number;
  /** Makes earlier challenges invalid, as a new secret does. */
  rotateChallenge: () => void;
  close: () => Promise<void>;
}

/** Starts the double on a free port. */
export async function startRelayDouble(): Promise<RelayDouble> {
  const books = new Map<Hex, DoubleBooks>();
  const mischief: Mischief = {};
  const authorizations: string[] = [];
  const bodyLengths: number[] = [];
  const keys: string[] = [];
  const counters = { refused: 0, challenge: 1 };
  const double = { books, mischief, authorizations, bodyLengths, keys, kept: new Map<string, Kept>(), counters };
  const server = createServer(
    (request, response) =>
      void serve(double, request, response).catch((error: unknown) => response.destroy(error as Error)),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    books,
    mischief,
    authorizations,
    bodyLengths,
    keys,
    refused: () => counters.refused,
    rotateChallenge: () => {
      counters.challenge += 1;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Kept {
  headers: Record<string, string>;
  json: string;
}

type Double = Pick<RelayDouble, 'books' | 'mischief' | 'authorizations' | 'bodyLengths' | 'keys'> & {
  kept: Map<string, Kept>;
  counters: { refused: number; challenge: number };
};

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function serve(double: Double, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/healthz') {
    const { relay, chainId, escrow, payee, priceOracle, priceBook, keyRegistry, token } = doubleTerms;
    const others = { autoPayLLM: payee, priceOracle, priceBook, keyRegistry, ...double.mischief.contracts };
    const contracts = { paymentChannels: double.mischief.escrow ?? escrow, ...others };
    const { decimals = token.decimals, moreTokens = [] } = double.mischief;
    return sendJson(response, 200, {
      status: 'ok',
      relay,
      chainId,
      contracts,
      tokens: [{ ...token, decimals }, ...moreTokens],
    });
  }
  if (request.url === '/v1/models')
    return sendJson(response, 200, {
      object: 'list',
      data: [listed(double, 'paid'), listed(double, 'free')],
      price_root: rootOfPrices([rowOf(double.mischief)]),
      tokens: [doubleTerms.token],
    });
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  await serveCall(double, {
    body: Buffer.concat(chunks),
    authorization: request.headers.authorization ?? '',
    key: String(request.headers['idempotency-key'] ?? ''),
    response,
  });
}

function listed({ mischief }: Double, id: 'paid' | 'free') {
  const free = id === 'free';
  const row = rowOf(mischief);
  const limits = {
    context_tokens: contextTokens,
    max_output_tokens: 4_000,
    default_max_output_tokens: defaultOutputTokens,
  };
  const pricing = {
    token: row.token,
    in_usd: row.inUsd,
    per_tokens: 1_000_000,
    prompt: String(row.prompt),
    cached_prompt: String(row.cachedPrompt),
    cache_write: String(row.cacheWrite),
    audio_prompt: String(row.audioPrompt),
    completion: String(row.completion),
    audio_completion: String(row.audioCompletion),
    request: String(row.request),
  };
  return { id, object: 'model', created: 0, owned_by: 'autopay', free, ...limits, pricing: free ? [] : [pricing] };
}

function rowOf(mischief: Mischief): PriceRow {
  return { model: 'paid', token: doubleTerms.token.address, inUsd: false, ...pricesOf(mischief) };
}

interface Call {
  body: Buffer;
  authorization: string;
  key: string;
  response: ServerResponse;
}

async function serveCall(double: Double, call: Call): Promise<void> {
  const callId = createCallId();
  double.authorizations.push(call.authorization);
  double.bodyLengths.push(call.body.length);
  double.keys.push(call.key);
  const { mischief } = double;
  const kept = call.authorization === '' ? undefined : double.kept.get(call.key);
  if (kept) {
    call.response.writeHead(200, { ...kept.headers, 'idempotent-replayed': 'true' }).end(kept.json);
    return;
  }
  if (call.authorization !== '' && mischief.pendingAnswers) {
    mischief.pendingAnswers -= 1;
    return sendJson(call.response, 503, { error: { message: 'later', code: 'settlement_pending' } });
  }
  call.response.setHeader('x-autopay-call-id', callId);
  const asked = JSON.parse(call.body.toString()) as { model: string; stream?: boolean; max_tokens?: number };
  if (asked.model !== 'free' && asked.model !== 'paid') {
    return sendJson(call.response, 404, {
      error: { message: 'no such model', code: 'model_not_found', type: 'invalid_request_error', param: 'model' },
    });
  }
  const payment = asked.model === 'free' ? null : admit(double, call, asked.max_tokens);
  if (payment === undefined) return;
  const answer: Answer = { double, callId, model: asked.model, body: call.body, payment };
  if (asked.stream) return sendStream(answer, call.response);
  const json = JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    created: 0,
    model: asked.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'hello', refusal: null },
        finish_reason: 'stop',
        logprobs: null,
      },
    ],
  });
  const receipt = chargeAndSign(answer, Buffer.from(json));
  const headers = { 'content-type': 'application/json', ...(receipt ? { 'x-autopay-receipt': receipt } : {}) };
  if (payment && !mischief.forgetKeys)
    double.kept.set(call.key, { headers: { ...headers, 'x-autopay-call-id': callId }, json });
  if (payment && mischief.lostAnswers) {
    mischief.lostAnswers -= 1;
    call.response.destroy();
    return;
  }
  call.response.writeHead(200, headers).end(json);
}

interface Admitted {
  channelId: Hex;
  channel: DoubleBooks;
  quote: bigint;
}

function pricesOf({ priceFactor = 1n }: Mischief) {
  return { ...prices, prompt: prices.prompt * priceFactor, completion: prices.completion * priceFactor };
}

/** The voucher rules of PARTS.md; undefined if it has refused. */
function admit(double: Double, call: Call, limit: number | undefined): Admitted | undefined {
  const promptTokens = Math.min(call.body.length + promptOverheadTokens, contextTokens);
  const quoteFor = (outputTokens: number) =>
    quoteOfBounds({ promptTokens, outputTokens, choices: 1 }, { prices: pricesOf(double.mischief), conversion: null });
  const quote = quoteFor(limit ?? defaultOutputTokens);
  const refuse = (status: number, code: string, facts: Record<string, string> = {}) => {
    double.counters.refused += call.authorization === '' ? 0 : 1;
    const changed = double.mischief.changeFacts?.(facts) ?? facts;
    const body = {
      error: { message: code, type: 'payment_required', param: null, code, quote: String(quote), ...changed },
    };
    sendJson(call.response, status, body, {
      'www-authenticate': formatChallenge(challengeOf(double)),
      'cache-control': 'no-store',
    });
    return undefined;
  };
  const credential = parseCredential(call.authorization);
  if (!credential) return refuse(402, 'payment_required');
  if (credential.challenge.id !== challengeOf(double).id) return refuse(402, 'challenge_invalid');
  const payload = sessionPayloadSchema.parse(credential.payload);
  // Deposits by authorization are the relay's; the wallet opens its channels itself.
  if (payload.action === 'topUp' || 'voucherSignature' in payload) return refuse(400, 'unsupported_payment_action');
  const { channelId, cumulativeAmount, signature } = payload;
  const channel = double.books.get(channelId);
  if (!channel) return refuse(410, 'channel_not_found');
  const scope = { chainId: doubleTerms.chainId, verifyingContract: doubleTerms.escrow };
  const digest = voucherDigest(voucherDomainSeparator(scope), { channelId, cumulativeAmount });
  if (recoverSigner(digest, fromHex(signature)) !== channel.payer) return refuse(402, 'signer_mismatch');
  const accepted = cumulativeAmount > channel.accepted ? cumulativeAmount : channel.accepted;
  const needed = channel.charged + channel.reserved + quote;
  const facts = {
    channelId,
    requiredCumulative: String(needed),
    acceptedCumulative: String(channel.accepted),
    spent: String(channel.charged),
    reserved: String(channel.reserved),
    deposit: String(channel.deposit),
  };
  if (cumulativeAmount > channel.deposit) return refuse(402, 'amount_exceeds_deposit', facts);
  if (channel.used.has(cumulativeAmount)) return refuse(409, 'voucher_already_used', facts);
  const headroom = accepted - channel.charged - channel.reserved;
  const isShrinkable = limit === undefined && headroom >= quoteFor(256);
  if (double.mischief.refuseVouchers || (headroom < quote && !isShrinkable))
    return refuse(402, 'insufficient_headroom', facts);
  channel.accepted = accepted;
  channel.used.add(cumulativeAmount);
  const held = headroom < quote ? headroom : quote;
  channel.reserved += held;
  return { channelId, channel, quote: held };
}

function challengeOf(double: Double) {
  const { chainId, escrow, payee, token } = doubleTerms;
  const methodDetails = { chainId, escrowContract: escrow };
  const request = encodeBase64UrlJson({
    amount: '1',
    currency: token.address,
    recipient: payee,
    suggestedDeposit: '1000000',
    methodDetails,
  });
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  return {
    id: `challenge-${double.counters.challenge}`,
    realm: 'test',
    method: 'evm',
    intent: 'session',
    request,
    expires,
  };
}

interface Answer {
  double: Double;
  callId: string;
  model: string;
  body: Buffer;
  payment: Admitted | null;
}

async function sendStream(answer: Answer, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (delta: object, finish: string | null) =>
    `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model: answer.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const events = [
    chunk({ role: 'assistant', content: 'héllo' }, null),
    chunk({ content: ' wörld' }, null),
    chunk({}, 'stop'),
  ];
  response.write(events[0]);
  if (answer.double.mischief.cutStream) {
    await delay(20);
    if (answer.payment) answer.payment.channel.reserved -= answer.payment.quote;
    response.destroy();
    return;
  }
  await delay(answer.double.mischief.delayMs ?? 0);
  response.write(events.slice(1).join(''));
  const receipt = chargeAndSign(answer, Buffer.from(events.join('')));
  if (receipt) response.write(`: autopay-receipt ${receipt}\n\n`);
  response.end('data: [DONE]\n\nevent: payment-receipt\ndata: {"status":"success"}\n\n');
}

function chargeAndSign({ double, callId, model, body, payment }: Answer, responseBytes: Buffer): string | undefined {
  const charge = payment ? doubleCharge : 0n;
  if (payment) {
    payment.channel.reserved -= payment.quote;
    payment.channel.charged += charge;
    payment.channel.sequence += 1;
  }
  const requestSalt = createSalt();
  const responseSalt = createSalt();
  const honest: CallReceipt = {
    version: 1,
    callId,
    admittedAtMs: Date.now(),
    chargedAtMs: Date.now(),
    payer: payment?.channel.payer ?? zeroAddress,
    channelId: payment?.channelId ?? zeroBytes32,
    sequence: payment?.channel.sequence ?? 0,
    runningTotal: payment?.channel.charged ?? 0n,
    token: payment ? doubleTerms.token.address : zeroAddress,
    amount: charge,
    refundOwed: 0n,
    priceRoot: rootOfPrices([rowOf(double.mischief)]),
    oracleRound: 0n,
    usage,
    requestCommitment: toHex(commit({ subject: 'request', salt: requestSalt, bytes: body })),
    responseCommitment: toHex(commit({ subject: 'response', salt: responseSalt, bytes: responseBytes })),
    attemptsDigest: zeroBytes32,
    evidenceTier: 'relay-signed',
    usageKind: 'exact',
    modelAsked: model,
    modelServed: model,
    provider: 'double',
    deployment: 'double@test',
  };
  if (double.mischief.omitReceipt) return undefined;
  const entry = encodeReceipt(double.mischief.changeReceipt?.(honest) ?? honest);
  const batch = { root: hashLeaf(entry), size: 1, signedAtMs: double.mischief.signedAtMs ?? Date.now() };
  const separator = receiptDomainSeparator({ chainId: doubleTerms.chainId, verifyingContract: doubleTerms.payee });
  const signature = signDigest(receiptBatchDigest(separator, batch), double.mischief.signWith ?? relayKey);
  return encodeSignedReceipt({
    entry,
    index: 0,
    size: 1,
    signedAtMs: batch.signedAtMs,
    path: [],
    signature,
    requestSalt,
    responseSalt,
  });
}
