import type OpenAI from 'openai';
import type { StoredReceipt } from '../client/receipt-store.ts';
import { formatAmount, type TokenUnit } from '../client/token-amount.ts';
import { describeCommandError, type CommandError } from './output.ts';

/** One question with what became of it. Amounts are atomic units. */
export interface Turn {
  model: string;
  question: string;
  answer: string;
  /** null without a receipt. */
  callId: string | null;
  charge: bigint | null;
  isVerified: boolean;
  /** The owner broke the answer off. */
  isStopped: boolean;
  error: CommandError | null;
}

type Message = { role: 'user' | 'assistant'; content: string };

/** A conversation: the model and the messages so far, and how to ask. */
export interface Chat {
  client: OpenAI;
  maxTokens: number | undefined;
  model: string;
  messages: Message[];
  turns: Turn[];
  /** Takes the receipt of the answer that came last. */
  takeReceipt: () => StoredReceipt | undefined;
  unit: TokenUnit;
  show: (text: string) => void;
}

/** A question without an answer yet. */
export function newTurn(model: string, question: string): Turn {
  return { model, question, answer: '', callId: null, charge: null, isVerified: false, isStopped: false, error: null };
}

/**
 * Asks the model with all that was said before, shows the answer as it comes, and then what it and all of them have cost. It does not
 * throw: what went wrong is shown, and stands in the turn.
 * @param signal breaks the answer off.
 */
export async function takeTurn(chat: Chat, question: string, signal: AbortSignal): Promise<void> {
  const { model, messages, unit, show } = chat;
  const turn = newTurn(model, question);
  chat.turns.push(turn);
  // One of an answer that was broken off may have come since.
  chat.takeReceipt();
  try {
    const body = {
      model,
      messages: [...messages, { role: 'user' as const, content: question }],
      ...(chat.maxTokens === undefined ? {} : { max_completion_tokens: chat.maxTokens }),
    };
    for await (const chunk of await chat.client.chat.completions.create({ ...body, stream: true }, { signal })) {
      const piece = chunk.choices[0]?.delta.content ?? '';
      show(piece);
      turn.answer += piece;
    }
  } catch (error) {
    if (!signal.aborted) turn.error = describeCommandError(error);
  }
  turn.isStopped = signal.aborted;
  const receipt = chat.takeReceipt();
  if (receipt) {
    turn.callId = receipt.callId;
    turn.charge = BigInt(receipt.amount);
    turn.isVerified = receipt.problems.length === 0;
  }
  // A question without an answer would make the next one cost more, and mean something else.
  if (turn.answer !== '')
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: turn.answer });
  const stopped = turn.isStopped ? 'stopped; what was answered until then may be charged · ' : '';
  show(`${turn.answer === '' ? '' : '\n'}${stopped}${describeTurn(turn, { total: totalOf(chat), unit })}\n`);
}

function describeTurn(turn: Turn, { total, unit }: { total: bigint; unit: TokenUnit }): string {
  const all = `${formatAmount(total, unit)} in all`;
  if (turn.error) return `${turn.error.message} (${turn.error.code}) · ${all}`;
  if (turn.charge === null) return `no receipt · ${all}`;
  const verdict = turn.isVerified ? 'verified' : 'DOES NOT HOLD';
  return `${formatAmount(turn.charge, unit)} · ${all} · receipt ${verdict}`;
}

/** What all answers have cost, by their receipts. */
export function totalOf({ turns }: Chat): bigint {
  return turns.reduce((sum, { charge }) => sum + (charge ?? 0n), 0n);
}
