import { expect, test } from 'vitest';
import { EmptyAnswer, UnusableAnswer } from '../router.ts';
import { textsOfCutJson } from '../texts-of-cut-json.ts';
import { chatCompletions } from './chat-completions.ts';
import { completions } from './completions.ts';

const usage = { prompt_tokens: 9, completion_tokens: 2 };

test('an answer without any choice is none: another deployment is asked, and nobody pays for it', () => {
  for (const { readAnswer } of [chatCompletions, completions]) {
    for (const choices of [undefined, null, {}, []]) {
      expect(() => readAnswer({ choices, usage }, undefined)).toThrow(UnusableAnswer);
    }
    // What one client's content brings upon itself.
    expect(() => readAnswer({ choices: [], usage }, undefined)).toThrow(EmptyAnswer);
  }
  expect(chatCompletions.readAnswer({ choices: [{ message: { content: 'Hi' } }], usage }, undefined)).toMatchObject({
    ...{ texts: ['Hi'], usage: { prompt: 9, completion: 2 } },
  });
});

test('of an answer that is broken off within a content in parts, the parts are counted', () => {
  const cut =
    '{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"Yes, b';
  expect(textsOfCutJson(Buffer.from(cut), chatCompletions.textMembers)).toEqual(['Hm', 'Yes, b']);
});
