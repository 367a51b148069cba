import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { createPublicClient, http } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWallet } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import type { StoredReceipt } from '../../client/receipt-store.ts';
import { checkBooks } from '../../fsck/check-books.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { decodeBase64UrlJson } from '../../protocol/mpp/base64url-json.ts';
import { sessionRequestSchema } from '../../protocol/mpp/session-schemas.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

const run = promisify(execFile);
let stack: TestStack;
const warnings: string[] = [];
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop());

const tokenOf = (symbol: 'USDC' | 'AGPT') => {
  const token = stack.stack.tokens[symbol];
  if (!token) throw new Error(`the stack has no ${symbol}`);
  return token.address;
};

/** Makes a call that is paid in one token, and gives its receipt. */
async function payIn(symbol: 'USDC' | 'AGPT'): Promise<StoredReceipt> {
  const receipts: StoredReceipt[] = [];
  const { relayUrl } = stack.payFetchOptions;
  const fetch = createPayFetch({
    ...stack.payFetchOptions,
    token: tokenOf(symbol),
    onReceipt: (receipt) => void receipts.push(receipt),
    onWarning: (message) => void warnings.push(message),
  });
  const openai = new OpenAI({ baseURL: `${relayUrl}/v1`, apiKey: 'unused', fetch, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'Say hello.' }];
  await openai.chat.completions.create({ model: 'sim-small', messages, max_tokens: 20 });
  const [receipt] = receipts;
  if (!receipt) throw new Error('there was no receipt');
  return receipt;
}

describe('channels in two tokens', () => {
  it('are asked for by a challenge each, with a quote in each token', async () => {
    const { relayUrl } = stack.payFetchOptions;
    const body = JSON.stringify({ model: 'sim-small', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 5 });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${relayUrl}/v1/chat/completions`, { method: 'POST', headers, body });
    expect(response.status).toBe(402);
    const [usdc, agpt] = parseChallenges(response.headers.get('www-authenticate') ?? '')
      .filter(({ intent }) => intent === 'session')
      .map(({ request }) => sessionRequestSchema.parse(decodeBase64UrlJson(request)));
    expect([usdc?.currency, agpt?.currency]).toEqual([tokenOf('USDC'), tokenOf('AGPT')]);
    // 100 AGPT of 10^18 for a USDC of 10^6; both are rounded up, but not at the same digit.
    const rate = 10n ** 14n;
    const inUsdc = usdc?.amount ?? 0n;
    expect(inUsdc).toBeGreaterThan(0n);
    expect(agpt?.amount).toBeLessThanOrEqual(inUsdc * rate);
    expect(agpt?.amount).toBeGreaterThan((inUsdc - 1n) * rate);
  });

  it('pay the same call at their own prices, and a wallet that says nothing keeps to the first', async () => {
    const [usdc, agpt] = [await payIn('USDC'), await payIn('AGPT')];
    expect([usdc.problems, agpt.problems, warnings]).toEqual([[], [], []]);
    const [inUsdc, inAgpt] = [usdc, agpt].map(({ receipt }) => decodeReceipt(decodeSignedReceipt(receipt).entry));
    expect(inUsdc).toMatchObject({ token: tokenOf('USDC'), sequence: 1, oracleRound: 0n });
    expect(inAgpt).toMatchObject({ token: tokenOf('AGPT'), sequence: 1, priceRoot: inUsdc?.priceRoot });
    expect(inAgpt?.usage).toEqual(inUsdc?.usage);
    expect(agpt.channelId).not.toBe(usdc.channelId);
    const quiet = openWallet({ ...stack.payFetchOptions });
    expect((await quiet.connect()).terms.token.symbol).toBe('USDC');
  });

  it('are collected and booked each in its token, and the books agree', async () => {
    const before = await payIn('AGPT');
    await stack.runJob('collect');
    const reader = createPublicClient({ transport: http(stack.stack.rpcUrl) });
    const business = { address: stack.stack.contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
    const events = await reader.getContractEvents({ ...business, eventName: 'Booked', fromBlock: 0n, strict: true });
    const booked = (symbol: 'USDC' | 'AGPT') =>
      events
        .filter(({ args }) => args.token.toLowerCase() === tokenOf(symbol))
        .reduce((sum, { args }) => sum + args.spent, 0n);
    const { runningTotal } = decodeReceipt(decodeSignedReceipt(before.receipt).entry);
    expect(booked('AGPT')).toBe(runningTotal);
    expect(booked('USDC')).toBeGreaterThan(0n);
    const report = await checkBooks(stack.fsckOptions);
    expect(report.claims.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('are opened and used from the command line by --token', async () => {
    const autopay = async (...args: string[]): Promise<unknown> => {
      const { dataDir } = stack.stack;
      const { stdout } = await run(process.execPath, ['cli/main.ts', ...args, '--data-dir', dataDir, '--json']);
      return JSON.parse(stdout);
    };
    const call = await autopay('call', 'hi', '--token', 'agpt', '--max-tokens', '5');
    expect(call).toMatchObject({ token: { symbol: 'AGPT' }, isVerified: true });
    const status = await autopay('channel', 'status', '--token', 'AGPT');
    expect(status).toMatchObject({ channel: { token: { symbol: 'AGPT' } } });
  });
});
