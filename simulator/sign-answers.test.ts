import { afterEach, expect, test } from 'vitest';
import { verifyMessage } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { createSimulator, type Simulator } from './create-simulator.ts';

const privateKey = Buffer.alloc(32, 0x44);
let simulator: Simulator | undefined;
afterEach(() => simulator?.close());

async function ask(model: string, body: object = {}) {
  simulator = createSimulator({ signer: { algorithm: 'ecdsa', privateKey } });
  const url = await simulator.listen(0);
  const text = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...body });
  const answer = await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: text })).text();
  const { id } = JSON.parse(answer) as { id: string };
  const signature = () => fetch(`${url}/v1/signature/${id}?model=${encodeURIComponent(model)}`);
  return { answer, signature };
}

interface Signed {
  text: string;
  signature: `0x${string}`;
  signing_address: `0x${string}`;
}

test('answers are signed as Phala’s servers do, which viem agrees with', async () => {
  const { signature } = await ask('sim-small');
  const { signature: signed, signing_address: signer, text } = (await (await signature()).json()) as Signed;
  expect(text).toMatch(/^[0-9a-f]{64}:[0-9a-f]{64}$/);
  expect(signer).toBe(privateKeyToAccount(`0x${privateKey.toString('hex')}`).address.toLowerCase());
  expect(await verifyMessage({ address: signer, message: text, signature: signed })).toBe(true);
});

test('a signature can be missing, late, of another answer, or by another key', async () => {
  const right = (await (await (await ask('sim-small')).signature()).json()) as Signed;
  await simulator?.close();
  expect((await (await ask('sim-small?evidence=missing')).signature()).status).toBe(404);
  await simulator?.close();
  const late = await ask('sim-small?evidence=late');
  expect([(await late.signature()).status, (await late.signature()).status]).toEqual([404, 200]);
  await simulator?.close();
  const other = (await (await (await ask('sim-small?evidence=other-key')).signature()).json()) as Signed;
  expect(other.signing_address).not.toBe(right.signing_address);
});

test('what Verathos adds comes where it is asked for', async () => {
  const { answer } = await ask('sim-small', { include_proof: true });
  expect(JSON.parse(answer)).toMatchObject({ proof_verified: true, commitment: { layer_commitments: [] } });
  await simulator?.close();
  expect((await ask('sim-small')).answer).not.toContain('commitment');
});
