import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Request, Response } from 'express';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { AuditQueries, CallPiece } from '../../ledger/queries/audit-queries.ts';
import { createExportSlots, streamExport, type ExportSlots } from './stream-export.ts';

const servers: Server[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A relay that exports whatever the pieces are. */
async function serve(
  listCalls: AuditQueries['listCalls'],
  { exports = createExportSlots(), payer = null }: { exports?: ExportSlots; payer?: Hex | null } = {},
) {
  const responses: Response[] = [];
  const ended: Promise<void>[] = [];
  const server = createServer((request, response) => {
    responses.push(response as Response);
    const work = streamExport({
      ...{ request: request as Request, response: response as Response, format: 'ndjson', limit: undefined, payer },
      ...{ walk: { filter: {}, order: 'asc', at: undefined }, queries: { listCalls }, exports },
    });
    ended.push(work.catch(() => void response.destroy()));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, responses, ended };
}

/** Looks again at each turn of the event loop: timers may stand still. */
async function waitUntil(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setImmediate(done));
}

const line = `${'x'.repeat(100_000)}\n`;

describe('an export', () => {
  it('reads no further than the client does, and ends with it', async () => {
    let asked = 0;
    const endless = async (): Promise<CallPiece> => ({ text: line, count: 1, next: (asked += 1), size: 1_000_000 });
    const { port, responses, ended } = await serve(endless);
    const client = connect(port, '127.0.0.1');
    client.pause();
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await vi.waitFor(() => expect(responses[0]?.writableNeedDrain).toBe(true));
    const whileFull = asked;
    await new Promise((done) => setImmediate(done));
    expect(asked).toBe(whileFull);
    // The client takes some, and the export goes on.
    client.resume();
    await vi.waitFor(() => expect(asked).toBeGreaterThan(whileFull));
    client.destroy();
    await ended[0];
    const atEnd = asked;
    await new Promise((done) => setImmediate(done));
    expect(asked).toBe(atEnd);
  });

  it('is of the log as it was at its beginning', async () => {
    const below: (number | undefined)[] = [];
    const listCalls: AuditQueries['listCalls'] = async (query) => {
      below.push(query.below);
      const at = query.at ?? 0;
      return { text: `${at}\n`, count: 1, next: at < 2 ? at + 1 : null, size: query.below ?? 3 };
    };
    const { port } = await serve(listCalls);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect(response.headers.get('x-autopay-log-size')).toBe('3');
    expect(await response.text()).toBe('0\n1\n2\n');
    expect(below).toEqual([undefined, 3, 3]);
  });

  it('that fails half-way breaks off, so that nobody takes it for whole', async () => {
    const listCalls: AuditQueries['listCalls'] = async ({ at }) => {
      if (at !== undefined) throw new Error('the disk is gone');
      return { text: 'first\n', count: 1, next: 1, size: 2 };
    };
    const { port } = await serve(listCalls);
    // Whether the head has left by then or not.
    const whole = fetch(`http://127.0.0.1:${port}`).then((response) => response.text());
    await expect(whole).rejects.toThrow(/terminated|fetch failed/);
  });
});

describe('the places of exports', () => {
  const payers = Array.from({ length: 6 }, (_, at): Hex => `0x${String(at).repeat(40)}`);

  /** Exports that run until the gate opens, and what came of one more. */
  function fill(wanted: readonly (Hex | null)[]) {
    const slots = createExportSlots();
    const gate = Promise.withResolvers<void>();
    const running = wanted.map((payer) => slots.run(payer, () => gate.promise));
    const tryOne = (payer: Hex | null) => slots.run(payer, () => Promise.resolve());
    const open = async () => {
      gate.resolve();
      await Promise.all(running);
    };
    return { tryOne, open };
  }

  it('are two of each payer, and come back', async () => {
    const [ann = '0x', bob = '0x'] = payers;
    const { tryOne, open } = fill([ann, ann]);
    await expect(tryOne(ann)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    await tryOne(bob);
    await open();
    await tryOne(ann);
  });

  it('are one of each payer while half of them are taken, so that three who read slowly keep nobody out', async () => {
    const [ann = '0x', bob = '0x', cem = '0x', dan = '0x'] = payers;
    const { tryOne, open } = fill([ann, ann, bob, cem]);
    for (const payer of [ann, bob, cem]) {
      await expect(tryOne(payer)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    }
    await tryOne(dan);
    await open();
  });

  it('are six of all payers, and eight with the operator’s', async () => {
    const [ann = '0x', bob = '0x', cem = '0x', dan = '0x', eva = '0x', fay = '0x'] = payers;
    const { tryOne, open } = fill([ann, ann, bob, cem, dan, eva, null]);
    await expect(tryOne(fay)).rejects.toMatchObject({ code: 'overloaded' });
    await tryOne(null);
    await open();
    const operators = fill(Array<null>(8).fill(null));
    await expect(operators.tryOne(null)).rejects.toMatchObject({ code: 'overloaded' });
    await expect(operators.tryOne(ann)).rejects.toMatchObject({ code: 'overloaded' });
    await operators.open();
    await tryOne(dan);
  });
});

it('a client that takes nothing is given up, and its place is free again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const endless = async (): Promise<CallPiece> => ({ text: line, count: 1, next: 1, size: 1_000_000 });
  const exports = createExportSlots();
  const ann: Hex = `0x${'a1'.repeat(20)}`;
  const { port, responses, ended } = await serve(endless, { exports, payer: ann });
  for (let count = 0; count < 2; count += 1) {
    const client = connect(port, '127.0.0.1').on('error', () => undefined);
    client.pause();
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  }
  await waitUntil(() => responses.length === 2 && responses.every((response) => response.writableNeedDrain));
  await expect(exports.run(ann, () => Promise.resolve())).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(responses.map(({ destroyed }) => destroyed)).toEqual([false, false]);
  await vi.advanceTimersByTimeAsync(1_001);
  await Promise.all(ended);
  expect(responses.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  await exports.run(ann, () => Promise.resolve());
});
