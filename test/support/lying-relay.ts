import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { decodeSignedReceipt, encodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import { serveHttp } from './serve-http.ts';

/** One thing that the relay does other than it should; all else stays as the real relay does it. */
export interface Lie {
  /** Says something else in the receipt, and signs that. */
  receipt?: (receipt: CallReceipt) => CallReceipt;
  /** Other parts of what it hands out with the receipt: salts, or when it signed (which it then signs). */
  signed?: Partial<Pick<SignedReceipt, 'requestSalt' | 'responseSalt' | 'signedAtMs'>>;
  /** Signs with another key than the relay's. */
  key?: Uint8Array;
  /** Answers without a receipt. */
  isWithoutReceipt?: boolean;
}

/** A relay that lies: a proxy in front of the real one, with its receipt key. */
export interface LyingRelay {
  url: string;
  /** undefined: it tells the truth. */
  lie: Lie | undefined;
  stop(): Promise<void>;
}

/** Starts it on a free port. JSON answers only: a receipt is the same in a stream. */
export async function startLyingRelay(options: {
  target: string;
  scope: TypedDataScope;
  key: Uint8Array;
}): Promise<LyingRelay> {
  const state: { lie: Lie | undefined } = { lie: undefined };
  const { url, stop } = await serveHttp((request, response) => {
    pass(options, { request, response, lie: state.lie }).catch(() => response.destroy());
  });
  return Object.assign(state, { url, stop });
}

type Signer = Parameters<typeof startLyingRelay>[0];

async function pass(
  signer: Signer,
  { request, response, lie }: { request: IncomingMessage; response: ServerResponse; lie: Lie | undefined },
): Promise<void> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && !hopByHop.has(name)) headers.set(name, value);
  }
  const body = await buffer(request);
  const answer = await fetch(`${signer.target}${request.url}`, {
    method: request.method ?? 'GET',
    headers,
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  const told = new Headers(answer.headers);
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', 'connection']) told.delete(name);
  const receipt = told.get('x-autopay-receipt');
  if (lie && receipt !== null) {
    if (lie.isWithoutReceipt) told.delete('x-autopay-receipt');
    else told.set('x-autopay-receipt', tell(receipt, { signer, lie }));
  }
  response.writeHead(answer.status, Object.fromEntries(told)).end(await answer.bytes());
}

const hopByHop = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'accept-encoding']);

function tell(encoded: string, { signer, lie }: { signer: Signer; lie: Lie }): string {
  const signed = { ...decodeSignedReceipt(encoded), ...lie.signed };
  const entry = encodeReceipt((lie.receipt ?? ((receipt) => receipt))(decodeReceipt(signed.entry)));
  return encodeSignedReceipt({ ...signed, ...signAlone({ ...signer, ...lie, entry, signedAtMs: signed.signedAtMs }) });
}

/** A batch of one, signed. */
function signAlone(options: { entry: Uint8Array; signedAtMs: number; scope: TypedDataScope; key: Uint8Array }) {
  const { entry, key, scope, signedAtMs } = options;
  const digest = receiptBatchDigest(receiptDomainSeparator(scope), { root: hashLeaf(entry), size: 1, signedAtMs });
  return { entry, index: 0, size: 1, path: [], signature: signDigest(digest, key) };
}
