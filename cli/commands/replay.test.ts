import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCliStack, type CliStack } from '../testing/start-cli-stack.ts';

let stack: CliStack;
let callId: string;
beforeAll(async () => {
  stack = await startCliStack();
  const { stdout } = await stack.run(['call', 'hi', '--json']);
  ({ callId } = JSON.parse(stdout) as { callId: string });
});
afterAll(() => stack.stop());

describe('autopay replay', { timeout: 60_000 }, () => {
  it('shows a call of the record, and checks its receipt by the chain', async () => {
    const { code, stdout, stderr } = await stack.run(['replay', callId]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^call +${callId}$`, 'm'));
    expect(stdout).toMatch(/^cost +0\.000020 USDC$/m);
    expect(stdout).toMatch(/^signer +ok +had a key of the relay's at that time$/m);
    expect(stdout).toMatch(/The receipt holds\.\n$/);
    const last = await stack.run(['replay', 'last', '--json']);
    expect(JSON.parse(last.stdout)).toMatchObject({ callId, isVerified: true, receipt: { amount: '20' } });
  });

  it('fails where the chain does not know the signer', async () => {
    stack.chain.answers.set('isValidAt(address,uint64)', 0);
    const { code, stdout } = await stack.run(['replay', callId]);
    stack.chain.answers.delete('isValidAt(address,uint64)');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^signer +WRONG +did not have/m);
    expect(stdout).toMatch(/DOES NOT HOLD\.\n$/);
  });

  it('says what it could not check without a chain', async () => {
    const file = join(stack.dataDir, 'stack.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(stack.chain.rpcUrl, 'http://127.0.0.1:1'));
    const { code, stdout } = await stack.run(['replay', callId]);
    await writeFile(file, text);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^prices +not checked +the chain was not asked$/m);
  });

  it('knows no other call', async () => {
    const { code, stdout } = await stack.run(['replay', '019aa6a0-0000-7000-8000-000000000000', '--json']);
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'not_found' } }]);
  });
});
