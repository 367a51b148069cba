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

  it('is all that is watched', () => {
    const others = [streamOf([event], 'application/json'), new Response(null), streamOf([event])];
    expect(others.slice(0, 2).map((answer) => requireWholeStream(url, answer))).toEqual(others.slice(0, 2));
    const [, , stream = new Response()] = others;
    expect(requireWholeStream('https://relay.example/v1/messages', stream)).toBe(stream);
  });
});
