import { expect, test } from 'vitest';
import { textsOfCutJson } from './texts-of-cut-json.ts';

const members = ['content', 'refusal'];
const message = { role: 'assistant', content: 'He said "no" \\', refusal: null };
const logprobs = { content: [{ token: 'He', logprob: -1, bytes: [72, 101] }] };
const whole = JSON.stringify({ choices: [{ message, logprobs }, { message: { content: 'Second' } }] });

test('finds what was generated, and nothing of the log probabilities', () => {
  expect(textsOfCutJson(Buffer.from(whole), members)).toEqual(['He said "no" \\\\', 'Second']);
});

test('wherever it was cut', () => {
  for (let at = 0; at < whole.length; at += 1) {
    const [text = ''] = textsOfCutJson(Buffer.from(whole.slice(0, at)), members);
    expect('He said "no" \\\\'.startsWith(text) || text.endsWith('\\')).toBe(true);
  }
});
