import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { doubleCharge } from '../../client/testing/relay-double.ts';
import type { CommandContext } from '../command-context.ts';
import { readStack } from '../read-stack.ts';
import { startCliStack, type CliStack } from '../testing/start-cli-stack.ts';
import { runChat } from './chat.ts';

let stack: CliStack;
beforeAll(async () => {
  stack = await startCliStack();
});
afterAll(() => stack.stop());
afterEach(() => vi.restoreAllMocks());

describe('autopay chat on a pipe', { timeout: 60_000 }, () => {
  it('answers each line, and says what it and all of them cost', async () => {
    const { code, stdout, stderr } = await stack.run(['chat'], { input: 'hi\n\nand?\n/exit\nnever\n' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      'héllo wörld\n0.000020 USDC · 0.000020 USDC in all · receipt verified\n' +
        'héllo wörld\n0.000020 USDC · 0.000040 USDC in all · receipt verified\n',
    );
  });

  it('sends what was said before, changes the model, and gives one JSON object', async () => {
    const before = stack.double.bodyLengths.length;
    const { code, stdout } = await stack.run(['chat', 'paid', '--json'], { input: 'hi\nhi\n/model free\nhi' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      total: String(2n * doubleCharge),
      turns: [
        { model: 'paid', question: 'hi', answer: 'héllo wörld', charge: String(doubleCharge), isVerified: true },
        { model: 'paid' },
        { model: 'free', charge: '0', isVerified: true },
      ],
    });
    const lengths = stack.double.bodyLengths.slice(before);
    const [first = 0, second = 0] = [lengths[0], lengths.at(-1)];
    expect(second).toBeGreaterThan(first + 'héllo wörld'.length);
  });

  it('goes on after an error, and fails at the end', async () => {
    const { code, stdout } = await stack.run(['chat'], { input: '/model none\nhi\n/help\n/model paid\nhi\n' });
    expect(code).toBe(1);
    expect(stdout).toContain('no such model (model_not_found) · 0.000000 USDC in all\n');
    expect(stdout).toContain('There is no /help. There are /model <name> and /exit. (invalid_argument)\n');
    expect(stdout).toMatch(/héllo wörld\n0\.000020 USDC · 0\.000020 USDC in all · receipt verified\n$/);
  });

  it('fails where a receipt does not hold', async () => {
    stack.double.mischief.changeReceipt = (receipt) => ({ ...receipt, modelAsked: 'another' });
    const { code, stdout } = await stack.run(['chat'], { input: 'hi\n' });
    delete stack.double.mischief.changeReceipt;
    expect(code).toBe(1);
    expect(stdout).toContain('receipt DOES NOT HOLD');
  });
});

describe('autopay chat at a terminal', { timeout: 60_000 }, () => {
  /** Puts a terminal in the place of stdin; what is printed comes back as it grows. */
  function openTerminal() {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    let shown = '';
    vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin as never);
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      shown += String(text);
      return true;
    });
    const context: CommandContext = {
      isJson: false,
      dataDir: stack.dataDir,
      print: () => undefined,
      stack: () => readStack(stack.dataDir),
    };
    const until = (text: string) => vi.waitFor(() => expect(shown).toContain(text), { timeout: 20_000, interval: 5 });
    return { stdin, until, chatting: runChat(context, { model: 'paid' }) };
  }

  it('greets, asks again after each answer, and ends with /exit', async () => {
    const { stdin, until, chatting } = openTerminal();
    await until('paid. Ask away');
    stdin.write('hi\r');
    await until('receipt verified');
    stdin.write('/exit\r');
    expect(await chatting).toBe(true);
  });

  it('stops an answer by Ctrl-C, and ends by another one', async () => {
    stack.double.mischief.delayMs = 60_000;
    const { stdin, until, chatting } = openTerminal();
    await until('Ask away');
    stdin.write('hi\r');
    await until('héllo');
    stdin.write('\u0003');
    await until('stopped; what was answered until then may be charged');
    stdin.write('\u0003');
    expect(await chatting).toBe(true);
    delete stack.double.mischief.delayMs;
  });
});
