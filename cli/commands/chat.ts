import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { escapeText } from '../../protocol/text/escape-text.ts';
import { openStackWallet, type CommandContext } from '../command-context.ts';
import { newTurn, takeTurn, totalOf, type Chat } from '../take-chat-turn.ts';
import { cheapestModel } from './call.ts';

/** What `autopay chat` was given. */
export interface ChatOptions {
  /** Default: the cheapest that is not free. */
  model?: string;
  maxTokens?: number;
  /** Symbol of the token to pay in. */
  token?: string;
}

const greeting = 'Ask away; /model <name> changes the model, /exit or Ctrl-D ends. Ctrl-C stops an answer.\n';

/**
 * Talks with a model, one paid call for each message, and shows after each answer what it and all of them have cost. Each line of the
 * input is a message; what a terminal is told beyond the answers is left out where the input is a pipe.
 * @returns false if a call failed, or a receipt does not hold.
 */
export async function runChat(context: CommandContext, options: ChatOptions): Promise<boolean> {
  const chat = await openChat(context, options);
  const isTerminal = process.stdin.isTTY === true && !context.isJson;
  if (isTerminal) chat.show(`${chat.model}. ${greeting}`);
  const lines = createInterface({
    input: process.stdin,
    ...(isTerminal ? { output: process.stdout, prompt: '> ', terminal: true } : {}),
  });
  let isOpen = true;
  lines.once('close', () => {
    isOpen = false;
  });
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => {
    if (answering) answering.abort();
    else lines.close();
  });
  try {
    if (isTerminal) lines.prompt();
    for await (const line of lines) {
      const text = line.trim();
      if (text === '/exit') break;
      if (text.startsWith('/')) takeCommand(chat, text);
      else if (text !== '') {
        answering = new AbortController();
        await takeTurn(chat, text, answering.signal);
        answering = undefined;
      }
      if (isTerminal && isOpen) lines.prompt();
    }
  } finally {
    lines.close();
  }
  return finish(context, chat);
}

async function openChat(context: CommandContext, options: ChatOptions): Promise<Chat> {
  let receipt: StoredReceipt | undefined;
  const wallet = await openStackWallet(await context.stack(), {
    symbol: options.token,
    onReceipt: (given) => {
      receipt = given;
    },
  });
  const { terms } = await wallet.connect();
  return {
    client: new OpenAI({
      fetch: createPayFetch(wallet),
      baseURL: `${wallet.relayUrl}/v1`,
      apiKey: 'unused',
      maxRetries: 0,
    }),
    maxTokens: options.maxTokens,
    model: options.model ?? (await cheapestModel(wallet)),
    messages: [],
    turns: [],
    takeReceipt() {
      const taken = receipt;
      receipt = undefined;
      return taken;
    },
    unit: terms.token,
    show: context.isJson ? () => undefined : (text) => void process.stdout.write(escapeText(text)),
  };
}

function takeCommand(chat: Chat, text: string): void {
  const [, model] = /^\/model\s+(\S+)$/.exec(text) ?? [];
  if (model === undefined) {
    const error = { code: 'invalid_argument', message: `There is no ${text}. There are /model <name> and /exit.` };
    chat.turns.push({ ...newTurn(chat.model, text), error });
    chat.show(`${error.message} (${error.code})\n`);
    return;
  }
  chat.model = model;
  chat.show(`${model} answers from now on.\n`);
}

function finish(context: CommandContext, chat: Chat): boolean {
  const { turns, unit } = chat;
  if (context.isJson) context.print({ json: { turns, total: totalOf(chat), token: unit }, text: '' });
  return turns.every(({ isVerified, isStopped }) => isVerified || isStopped);
}
