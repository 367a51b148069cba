import { describe, expect, it } from 'vitest';
import { requireWholeStream } from './require-whole-stream.ts';

const url = 'https://relay.example/v1/chat/completions';
const event = 'data: {"choices":[{"delta":{"content":"data: [DONE] is how streams end"}}]}\n\n';

/** A stream of these pieces; an Error breaks it. */
function streamOf(pieces: readonly (string | Error)[], type = 'text/event-stream; charset=utf-8'): Response {
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else if (typeof piece === 'string') controller.enqueue(Buffer.from(piece));
      else controller.error(piece);
    },
  });
  return new Response(body, { headers: { 'content-type': type, 'x-kept': 'yes' } });
}

/** What is read, and whether it ends as whole. */
async function read(response: Response): Promise<{ text: string; isWhole: boolean }> {
  const reader = response.body?.getReader();
  let text = '';
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
      text += Buffer.from(part.value).toString();
    return { text, isWhole: true };
  } catch {
    return { text, isWhole: false };
  }
}

describe('a stream of chat completions', () => {
  it('passes as it is where it is whole, however it is cut into pieces', async () => {
    const text = `${event}data: [DONE]\n\n`;
    for (const size of [1, 7, 1_000]) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      const answer = requireWholeStream(url, streamOf(pieces));
      expect([answer.status, answer.headers.get('x-kept')]).toEqual([200, 'yes']);
      expect(await read(answer)).toEqual({ text, isWhole: true });
    }
  });

  it('is whole without the space that server-sent events need not have', async () => {
    expect(await read(requireWholeStream(url, streamOf([event, 'data:[DONE]\n\n'])))).toMatchObject({ isWhole: true });
    const error = 'data:{"error":{"code":"upstream_error"}}\n\n';
    expect(await read(requireWholeStream(url, streamOf([error])))).toEqual({ text: error, isWhole: false });
  });

  it.each([
    ['is cut', [event, new TypeError('terminated')]],
    ['is cut within an event', [event, 'data: {"cho', new TypeError('terminated')]],
    ['ends without [DONE], which the model only spoke of', [event]],
  ])('ends with an error where it %s', async (_, pieces) => {
    const { text, isWhole } = await read(requireWholeStream(url, streamOf(pieces)));
    expect([text.startsWith(event), isWhole]).toEqual([true, false]);
    expect(text).toMatch(/\n\ndata: \{"error":\{.*"code":"upstream_truncated".*\}\}\n\n$/);
  });

  it('gets no second error where the relay has said one', async () => {
    const error = 'data: {"error":{"code":"upstream_error"}}\n\n';
    const { text, isWhole } = await read(requireWholeStream(url, streamOf([error, new TypeError('terminated')])));
    expect([text, isWhole]).toEqual([error, false]);
  });

  it('is whole even if the connection breaks after [DONE]', async () => {
    const pieces = [event, 'data: [DONE]\n\n', new TypeError('terminated')];
    expect(await read(requireWholeStream(url, streamOf(pieces)))).toMatchObject({ isWhole: true });
  });

  it.each<[string, string, string]>([
    ['/v1/completions', 'data: {"choices":[{"text":"a"}]}\n\n', 'data: [DONE]\n\n'],
    ['/v1/responses', 'event: response.output_text.delta\ndata: {}\n\n', 'event: response.completed\ndata: {}\n\n'],
    ['/v1/responses', 'event: response.created\ndata: {}\n\n', 'event: response.incomplete\r\ndata: {}\r\n\r\n'],
    ['/v1/responses', 'data: {"type":"ping"}\n\n', 'data: {"type":"response.completed"}\n\n'],
    ['/v1/messages', 'event: message_start\ndata: {}\n\n', 'event:message_stop\ndata: {}\n\n'],
  ])('of %s is whole with its last event, and only then', async (path, first, last) => {
    const there = `https://relay.example${path}`;
    const after = ': autopay-receipt QUJD\n\n';
    for (const size of [1, 7, 1_000]) {
      const pieces = `${first}${last}${after}`.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      expect(await read(requireWholeStream(there, streamOf(pieces)))).toEqual({
        text: `${first}${last}${after}`,
        isWhole: true,
      });
    }
    const cut = await read(requireWholeStream(there, streamOf([first, new TypeError('terminated')])));
    expect([cut.text.startsWith(first), cut.isWhole]).toEqual([true, false]);
    expect(cut.text).toContain('"code":"upstream_truncated"');
    // Half of the last event is no end.
    const half = !last.includes('[DONE]') ? last.slice(0, last.indexOf('{')) : 'data: [DON';
    expect(await read(requireWholeStream(there, streamOf([first, half])))).toMatchObject({ isWhole: false });
  });

  it.each(['/v1/responses', '/v1/messages'])('of %s gets the error that its clients raise, once', async (path) => {
    const there = `https://relay.example${path}`;
    const { text } = await read(requireWholeStream(there, streamOf(['event: ping\ndata: {}\n\n'])));
    expect(text).toMatch(
      /\n\nevent: error\ndata: \{"type":"error",.*"error":\{.*"code":"upstream_truncated".*\}\}\n\n$/,
    );
    const told = 'event: error\ndata: {"type":"error","error":{"message":"x"}}\n\n';
    expect(await read(requireWholeStream(there, streamOf([told])))).toEqual({ text: told, isWhole: false });
  });

  it('is all that is watched', () => {
    const others = [streamOf([event], 'application/json'), new Response(null), streamOf([event])];
    expect(others.slice(0, 2).map((answer) => requireWholeStream(url, answer))).toEqual(others.slice(0, 2));
    const [, , stream = new Response()] = others;
    expect(requireWholeStream('https://relay.example/v1/audio', stream)).toBe(stream);
  });
});
