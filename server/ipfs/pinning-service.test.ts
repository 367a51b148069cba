import { afterEach, beforeEach, expect, test } from 'vitest';
import { startFakePinningService, type FakePinningService } from './fake-pinning-service.ts';
import { createPinningService, type PinningService } from './pinning-service.ts';

let fake: FakePinningService;
let service: PinningService;
const open = (changes: { token?: string; timeoutMs?: number; origins?: readonly string[] } = {}) => {
  const { endpoint, token } = fake;
  service = createPinningService({ endpoint, token, origins: [], timeoutMs: 10_000, ...changes });
  return service;
};
beforeEach(async () => {
  fake = await startFakePinningService();
});
afterEach(async () => {
  await service.close();
  await fake.close();
});

const wanted = { cid: 'bafyone', name: 'a name' };
const unavailable = (words: RegExp): unknown =>
  expect.objectContaining({ code: 'ipfs_unavailable', message: expect.stringMatching(words) });

test('a pin is asked for, followed and given up', async () => {
  const origins = ['/dns4/node.example/tcp/4001/p2p/12D3KooWx'];
  open({ origins });
  const { requestId, state } = await service.pin(wanted);
  expect(state).toBe('queued');
  const pin = fake.pins.get(requestId);
  expect(pin).toMatchObject({ ...wanted, origins });
  if (pin) pin.state = 'pinned';
  expect(await service.find(requestId)).toEqual({ requestId, state: 'pinned' });
  await service.remove(requestId);
  expect(await service.find(requestId)).toBeUndefined();
  await service.remove(requestId);
});

test('a pin that was asked for before is taken up, unless it failed', async () => {
  open();
  const first = await service.pin(wanted);
  expect(await service.pin(wanted)).toEqual(first);
  expect(fake.asked.filter((asked) => asked === 'POST /pins')).toHaveLength(1);
  const pin = fake.pins.get(first.requestId);
  if (pin) pin.state = 'failed';
  expect((await service.pin(wanted)).requestId).not.toBe(first.requestId);
});

test('what fails is told without the token or the address', async () => {
  open({ token: 'wrong-token' });
  await expect(service.pin(wanted)).rejects.toEqual(unavailable(/answered with status 401/));
  open({ timeoutMs: 100 });
  fake.intercept = () => true;
  await expect(service.pin(wanted)).rejects.toEqual(unavailable(/no answer within 100 ms/));
  open();
  for (const [body, words] of [
    ['<html>', /no JSON/],
    ['{"results": [{"requestid": 1}]}', /none of its API/],
    ['x'.repeat(300_000), /UND_ERR_RES_EXCEEDED_MAX_SIZE/],
  ] as const) {
    fake.intercept = (_, response) => (response.writeHead(200).end(body), true);
    await expect(service.pin(wanted)).rejects.toEqual(unavailable(words));
  }
  await fake.close();
  await expect(service.pin(wanted)).rejects.toEqual(unavailable(/^(?!.*(127|token)).*ECONNREFUSED/));
});

test('a service that takes the CID for another is caught, and one that redirects gets no further', async () => {
  open();
  fake.intercept = (request, response) => {
    if (request.method !== 'POST') return false;
    const other = { requestid: 'r', status: 'pinned', pin: { cid: 'bafyother' } };
    response.writeHead(202).end(JSON.stringify(other));
    return true;
  };
  await expect(service.pin(wanted)).rejects.toMatchObject({ code: 'verification_failed' });
  fake.intercept = (_, response) => (response.writeHead(307, { location: '/psa/elsewhere' }).end(), true);
  await expect(service.pin(wanted)).rejects.toEqual(unavailable(/status 307/));
  expect(fake.asked).not.toContain('GET /elsewhere');
});
