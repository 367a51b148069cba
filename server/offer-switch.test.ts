import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCallGate, type CallGate } from './http/call-gate.ts';
import { createOfferSwitch, type Offer, type OfferSwitch } from './offer-switch.ts';

/** Each answers with its name when it is told to; `/call` passes the gate, and ends later than its answer. */
function makeOffer(name: string) {
  const answers: (() => void)[] = [];
  const calls: (() => void)[] = [];
  const close = vi.fn<Offer['close']>(() => Promise.resolve());
  const make = (gate: CallGate): Offer => ({
    close,
    listener(request, response) {
      if (request.url === '/call') calls.push(gate.enter());
      answers.push(() => void response.end(name));
    },
  });
  return { make, close, answers, calls };
}

let gate: CallGate;
let offers: OfferSwitch;
let server: Server;
let first: ReturnType<typeof makeOffer>;

beforeEach(async () => {
  gate = createCallGate(10);
  first = makeOffer('first');
  offers = createOfferSwitch(gate, first.make);
  server = createServer(offers.listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const ask = (path: string) =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`).then((it) => it.text());

test('a request is answered by the offer that it came to, which closes after its last one', async () => {
  const second = makeOffer('second');
  const asked = ask('/');
  await vi.waitFor(() => expect(first.answers).toHaveLength(1));
  offers.replace(second.make);
  const later = ask('/');
  await vi.waitFor(() => expect(second.answers).toHaveLength(1));
  expect(first.close).not.toHaveBeenCalled();
  first.answers[0]?.();
  second.answers[0]?.();
  expect(await asked).toBe('first');
  expect(await later).toBe('second');
  await vi.waitFor(() => expect(first.close).toHaveBeenCalledTimes(1));
  expect(second.close).not.toHaveBeenCalled();
});

test('a call that outlives its client keeps its offer open', async () => {
  const asked = ask('/call');
  await vi.waitFor(() => expect(first.calls).toHaveLength(1));
  offers.replace(makeOffer('second').make);
  first.answers[0]?.();
  expect(await asked).toBe('first');
  await new Promise((done) => setImmediate(done));
  expect(first.close).not.toHaveBeenCalled();
  first.calls[0]?.();
  first.calls[0]?.();
  expect(first.close).toHaveBeenCalledTimes(1);
  await gate.drain();
});

test('an offer that cannot be made changes nothing; one without work closes at once', () => {
  expect(() =>
    offers.replace(() => {
      throw new Error('no key');
    }),
  ).toThrow('no key');
  expect(first.close).not.toHaveBeenCalled();
  offers.replace(makeOffer('second').make);
  expect(first.close).toHaveBeenCalledTimes(1);
});

test('all are closed once when the relay stops', async () => {
  const second = makeOffer('second');
  const asked = ask('/');
  await vi.waitFor(() => expect(first.answers).toHaveLength(1));
  offers.replace(second.make);
  await offers.close();
  first.answers[0]?.();
  await asked;
  expect([first.close.mock.calls.length, second.close.mock.calls.length]).toEqual([1, 1]);
});
