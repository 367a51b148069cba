import OpenAI from 'openai';
import { escapeText } from '../../protocol/text/escape-text.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { Wallet } from '../../client/open-wallet.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { formatAmount, parseAmount } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { showProgress } from '../show-progress.ts';

/** What `autopay call` was given. */
export interface CallOptions {
  prompt: string;
  model?: string;
  isStream: boolean;
  maxTokens?: number;
  /** The most that the call may cost, in whole tokens. */
  maxCost?: string;
  /** Symbol of the token to pay in. */
  token?: string;
}

/** Makes one paid call and shows answer, charge and receipt; false if the receipt does not hold. */
export async function runCall(context: CommandContext, options: CallOptions): Promise<boolean> {
  const stack = await context.stack();
  const { terms } = await (await openStackWallet(stack, { symbol: options.token })).connect();
  let receipt: StoredReceipt | undefined;
  const wallet = await openStackWallet(stack, {
    symbol: options.token,
    ...(options.maxCost === undefined ? {} : { maxCallAmount: parseAmount(options.maxCost, terms.token) }),
    onReceipt: (given) => {
      receipt = given;
    },
  });
  const model = options.model ?? (await cheapestModel(wallet));
  const client = new OpenAI({
    fetch: createPayFetch(wallet),
    baseURL: `${wallet.relayUrl}/v1`,
    apiKey: 'unused',
    maxRetries: 0,
  });
  const show = context.isJson ? () => undefined : (piece: string) => void process.stdout.write(escapeText(piece));
  const answer = await ask(client, { ...options, model, show });
  show('\n');
  const isVerified = receipt?.problems.length === 0;
  const charge = receipt && BigInt(receipt.amount);
  context.print({
    json: {
      model,
      answer,
      callId: receipt?.callId ?? null,
      charge: charge ?? null,
      token: terms.token,
      isVerified,
      receipt: receipt ?? null,
    },
    text: receipt
      ? `call ${receipt.callId} · ${receipt.promptTokens} + ${receipt.completionTokens} tokens · ${formatAmount(charge ?? 0n, terms.token)} · ` +
        `receipt ${isVerified ? 'verified' : 'DOES NOT HOLD'}\n`
      : 'no valid receipt: see the warning above\n',
  });
  return isVerified;
}

interface Question extends CallOptions {
  model: string;
  show: (piece: string) => void;
}

async function ask(client: OpenAI, question: Question): Promise<string> {
  const body = {
    model: question.model,
    messages: [{ role: 'user' as const, content: question.prompt }],
    ...(question.maxTokens === undefined ? {} : { max_completion_tokens: question.maxTokens }),
  };
  if (!question.isStream) {
    const completion = await showProgress('Waiting for the answer', client.chat.completions.create(body));
    const answer = completion.choices[0]?.message.content ?? '';
    question.show(answer);
    return answer;
  }
  let answer = '';
  const asking = client.chat.completions.create({ ...body, stream: true });
  for await (const chunk of await showProgress('Waiting for the answer', asking)) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    question.show(piece);
    answer += piece;
  }
  return answer;
}

/** Without a model named, the cheapest one that costs something: a free one would not show a payment. */
export async function cheapestModel(wallet: Wallet): Promise<string> {
  const models = [...(await wallet.catalogue()).models.values()];
  const { address } = (await wallet.connect()).terms.token;
  const price = ({ rows }: (typeof models)[number]) => {
    const row = rows.find(({ token }) => token === address);
    return row ? row.prompt + row.completion + row.request : 0n;
  };
  const sorted = models.toSorted((a, b) => Number(a.free) - Number(b.free) || (price(a) < price(b) ? -1 : 1));
  if (sorted[0] === undefined)
    throw new AutoPayError('model_not_found', 'The relay offers no model. Look at its autopay.yaml.');
  return sorted[0].id;
}
