import { expect, test } from 'vitest';
import { buildAnswer } from './build-answer.ts';
import { parseDirectives } from './parse-directives.ts';
import { parseRequest } from './parse-request.ts';
import { damageFrames } from './damage-frames.ts';
import { chatWire } from './wires/chat-wire.ts';
import type { FaultName } from './directives.ts';
import type { Frame } from './write-frames.ts';
import { writeJson, writeStream } from './write-frames.ts';

function answer(fields: object, directives: string) {
  const body = { model: 'sim-a', messages: [{ role: 'user', content: 'hi' }], ...fields };
  return buildAnswer({
    request: parseRequest(Buffer.from(JSON.stringify(body))),
    directives: parseDirectives({ suffix: directives, header: null }),
    modelBase: 'sim-a',
    bodyHash: 'ab'.repeat(32),
    createdS: 1_700_000_000,
  });
}

const text = (frames: readonly Frame[]) => frames.map((frame) => frame.bytes.toString('utf8'));

test('a stream, byte for byte', () => {
  expect(text(writeStream(answer({}, 'tokens=2'), { includeUsage: true }))).toMatchInlineSnapshot(`
    [
      "data: {"id":"chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm","object":"chat.completion.chunk","created":1700000000,"model":"sim-a","service_tier":"default","system_fingerprint":"fp_7fa7f7d522","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

    ",
      "data: {"id":"chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm","object":"chat.completion.chunk","created":1700000000,"model":"sim-a","service_tier":"default","system_fingerprint":"fp_7fa7f7d522","choices":[{"index":0,"delta":{"content":"["},"logprobs":null,"finish_reason":null}],"usage":null}

    ",
      "data: {"id":"chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm","object":"chat.completion.chunk","created":1700000000,"model":"sim-a","service_tier":"default","system_fingerprint":"fp_7fa7f7d522","choices":[{"index":0,"delta":{"content":"sim"},"logprobs":null,"finish_reason":null}],"usage":null}

    ",
      "data: {"id":"chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm","object":"chat.completion.chunk","created":1700000000,"model":"sim-a","service_tier":"default","system_fingerprint":"fp_7fa7f7d522","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}

    ",
      "data: {"id":"chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm","object":"chat.completion.chunk","created":1700000000,"model":"sim-a","service_tier":"default","system_fingerprint":"fp_7fa7f7d522","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}

    ",
      "data: [DONE]

    ",
    ]
  `);
});

test('without include_usage no chunk mentions usage', () => {
  expect(text(writeStream(answer({}, 'tokens=2'), { includeUsage: false })).join('')).not.toContain('usage');
});

test('a JSON body, byte for byte', () => {
  expect(text(writeJson(answer({}, 'tokens=5&cached=3&reasoning=4'), { usage: true }))[0]).toMatchInlineSnapshot(`
    "{
      "id": "chatcmpl-JJaLYebpUzB10z2skh7trlqrn3yHm",
      "object": "chat.completion",
      "created": 1700000000,
      "model": "sim-a",
      "choices": [
        {
          "index": 0,
          "message": {
            "role": "assistant",
            "content": "[simulated] relay",
            "refusal": null,
            "annotations": []
          },
          "logprobs": null,
          "finish_reason": "stop"
        }
      ],
      "usage": {
        "prompt_tokens": 8,
        "completion_tokens": 9,
        "total_tokens": 17,
        "prompt_tokens_details": {
          "cached_tokens": 3,
          "audio_tokens": 0
        },
        "completion_tokens_details": {
          "reasoning_tokens": 4,
          "audio_tokens": 0,
          "accepted_prediction_tokens": 0,
          "rejected_prediction_tokens": 0
        }
      },
      "service_tier": "default",
      "system_fingerprint": "fp_7fa7f7d522"
    }"
  `);
});

test('choices of a stream take turns', () => {
  const frames = text(writeStream(answer({ n: 2 }, 'tokens=2'), { includeUsage: false }));
  const indices = frames.map((frame) => /"index":(\d)/.exec(frame)?.[1]);
  expect(indices).toEqual(['0', '1', '0', '1', '0', '1', '0', '1', undefined]);
});

test('frames carry the tokens that they took, reasoning with the first', () => {
  const frames = writeStream(answer({}, 'tokens=3&reasoning=9'), { includeUsage: true });
  expect(frames.map((frame) => frame.tokens)).toEqual([9, 1, 1, 1, 0, 0, 0]);
  expect(writeJson(answer({}, 'tokens=3&reasoning=9'), { usage: true })[0]?.tokens).toBe(12);
});

const damage = (fault: FaultName, argument = 0, stream = true) => {
  const built = answer({}, 'tokens=4');
  const frames = stream ? writeStream(built, { includeUsage: false }) : writeJson(built, { usage: true });
  return {
    before: text(frames),
    after: text(
      damageFrames(frames, { faults: new Map([[fault, argument]]), stream, errorFrame: chatWire.errorFrame }),
    ),
  };
};

test('faults in the bytes of a stream', () => {
  const done = damage('no-done');
  expect(done.after).toEqual(done.before.slice(0, -1));
  expect(done.before.at(-1)).toBe('data: [DONE]\n\n');
  const crlf = damage('crlf');
  expect(crlf.after).toEqual(crlf.before.map((event) => event.replace(/\n\n$/, '\r\n\r\n')));
  expect(damage('empty').after).toEqual([]);
  const failed = damage('error-after', 2);
  expect(failed.after.slice(0, 2)).toEqual(failed.before.slice(0, 2));
  expect(failed.after.slice(2)).toEqual([
    'data: {"error":{"message":"The simulated provider failed mid-stream.","type":"server_error","param":null,"code":null}}\n\n',
  ]);
  const broken = damage('malformed-chunk');
  expect(broken.after.toSpliced(2, 1)).toEqual(broken.before.toSpliced(2, 1));
  expect(broken.after[2]).toMatch(/^data: \{.*\n\n$/);
  expect(() => JSON.parse(broken.after[2]!.slice(6)) as unknown).toThrow(SyntaxError);
});

test('faults in the bytes of a JSON body', () => {
  expect(() => JSON.parse(damage('malformed-chunk', 0, false).after[0]!) as unknown).toThrow(SyntaxError);
  expect(damage('empty', 0, false).after).toEqual([]);
  for (const fault of ['no-done', 'error-after'] as const) {
    const { before, after } = damage(fault, 0, false);
    expect(after).toEqual(before);
  }
});
