import OpenAI from 'openai';
import { openWallet, type Wallet } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { readKey } from '../../client/read-key.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt, type SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { StackFile } from '../stack.ts';

/** A call that was made and paid for. */
export interface PaidCall {
  answer: string;
  receipt: CallReceipt;
  signed: SignedReceipt;
  /** RFC 6962 leaf hash of the receipt. */
  leafHash: Buffer;
}

/** The payer: its wallet, and an OpenAI client that knows nothing of payment. */
export interface Payer {
  wallet: Wallet;
  openai: OpenAI;
  /** Receipts in the order in which they came. */
  receipts: StoredReceipt[];
}

/** Opens the demo wallet of a stack and puts the official client on it. */
export async function createPayer(stack: StackFile, stateDir: string): Promise<Payer> {
  const receipts: StoredReceipt[] = [];
  const wallet = openWallet({
    relayUrl: stack.relayUrl,
    rpcUrl: stack.rpcUrl,
    // Only the wallet's own file counts here, whatever key the environment has for the real one.
    privateKey: await readKey({ keyFile: stack.wallet.keyFile, environment: {} }),
    stateDir,
    contracts: stack.contracts,
    onReceipt: (receipt) => receipts.push(receipt),
    onWarning: (message) => {
      throw new Error(message);
    },
  });
  const openai = new OpenAI({
    baseURL: `${stack.relayUrl}/v1`,
    apiKey: 'unused',
    fetch: createPayFetch(wallet),
    maxRetries: 0,
  });
  return { wallet, openai, receipts };
}

/** Opens a channel; its id and deposit. */
export async function openChannel({ wallet }: Payer): Promise<{ channelId: string; deposit: bigint }> {
  const { terms, channels } = await wallet.connect();
  const channel = await channels.ensure({ deposit: wallet.depositFor(terms) });
  return { channelId: channel.channelId, deposit: BigInt(channel.deposit) };
}

/** Makes one call that is answered as a whole. */
export async function callJson(payer: Payer, model: string): Promise<PaidCall> {
  const completion = await payer.openai.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'Why should every charge have a receipt?' }],
    max_completion_tokens: 200,
  });
  return takeReceipt(payer, completion.choices[0]?.message.content ?? '');
}

/** Makes one call that is answered as a stream. */
export async function callStreamed(payer: Payer, model: string): Promise<PaidCall> {
  const stream = await payer.openai.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'And who can check it?' }],
    stream: true,
  });
  let answer = '';
  for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? '';
  return takeReceipt(payer, answer);
}

/** The receipt of the call that just ended; the wallet has checked it by then. */
function takeReceipt({ receipts }: Payer, answer: string): PaidCall {
  if (answer === '') throw new Error('the answer is empty');
  const stored = receipts.shift();
  if (stored === undefined) throw new Error('the answer came without a receipt');
  if (stored.problems.length > 0) throw new Error(`the receipt is wrong: ${stored.problems.join('; ')}`);
  const signed = decodeSignedReceipt(stored.receipt);
  return { answer, signed, receipt: decodeReceipt(signed.entry), leafHash: hashLeaf(signed.entry) };
}
