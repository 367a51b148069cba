import { join } from 'node:path';
import { createReceiptFacts } from '../../client/chain/read-receipt-facts.ts';
import { openDeployment, unitOfToken } from '../../client/chain/open-deployment.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { recheckReceipt, type RecheckedReceipt, type ReceiptFacts } from '../../client/recheck-receipt.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { formatTable } from '../output.ts';
import type { Stack } from '../read-stack.ts';

const marks = { fine: 'ok', wrong: 'WRONG', open: 'not checked' };

/**
 * Shows a call of the wallet's own record, and checks its receipt once more; false if something in it is wrong. The relay is not
 * asked; of a chain that does not answer, it is said so.
 */
export async function runReplay(context: CommandContext, { callId }: { callId: string }): Promise<boolean> {
  const stack = await context.stack();
  const store = openReceiptStore(join(stack.dataDir, 'client'));
  const stored = callId === 'last' ? await store.findLast() : await store.find(callId);
  if (!stored) {
    throw new AutoPayError(
      'not_found',
      callId === 'last'
        ? 'This wallet has no receipt yet. Make a call first: autopay call "Say hello"'
        : `This wallet has no receipt of ${callId}. autopay spend --by day shows on which days it has some.`,
    );
  }
  // A receipt of an earlier deployment says nothing of this one's keys and prices.
  const isHere = stored.chainId === stack.chainId && stored.payee === stack.contracts.autoPayLLM;
  const facts = isHere ? await openFacts(stack) : undefined;
  const result = await recheckReceipt(stored, { all: await store.list(), facts });
  const isVerified = result.checks.every(({ isFine }) => isFine !== false);
  context.print({
    json: { callId: stored.callId, receivedAtMs: stored.receivedAtMs, isVerified, ...result },
    text: describe(result, stack) + (isVerified ? 'The receipt holds.\n' : 'The receipt DOES NOT HOLD.\n'),
  });
  return isVerified;
}

async function openFacts(stack: Stack): Promise<ReceiptFacts | undefined> {
  try {
    return createReceiptFacts(await openDeployment(stack.rpcUrl, stack));
  } catch (error) {
    if (error instanceof AutoPayError && error.code === 'chain_unavailable') return undefined;
    throw error;
  }
}

function describe({ receipt, checks }: RecheckedReceipt, stack: Stack): string {
  const { usage, modelAsked, modelServed, provider } = receipt;
  const unit = unitOfToken(stack, receipt.token);
  const isFree = receipt.sequence === 0 && receipt.amount === 0n;
  const time = (atMs: number) => new Date(atMs).toISOString();
  return (
    formatTable([
      ['call', receipt.callId],
      ['admitted', time(receipt.admittedAtMs)],
      ['charged', time(receipt.chargedAtMs)],
      ['model', modelAsked === modelServed ? modelAsked : `${modelAsked}, served by ${modelServed}`],
      ['provider', provider],
      ['tokens', `${usage.prompt} + ${usage.completion}, ${receipt.usageKind}`],
      ['cost', isFree ? 'free' : formatAmount(receipt.amount, unit)],
      ...(isFree
        ? []
        : [
            ['channel', `${receipt.channelId}, receipt ${receipt.sequence}`],
            ['running total', formatAmount(receipt.runningTotal, unit)],
          ]),
    ]) +
    '\n' +
    formatTable(
      checks.map(({ name, isFine, detail }) => [
        name,
        isFine === null ? marks.open : isFine ? marks.fine : marks.wrong,
        detail,
      ]),
    )
  );
}
