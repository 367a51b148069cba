import { expect, test } from 'vitest';
import { UnusableAnswer } from '../router.ts';
import { chatCompletions } from './chat-completions.ts';
import { completions } from './completions.ts';

const usage = { prompt_tokens: 9, completion_tokens: 2 };

test('an answer without any choice is none: another deployment is asked, and nobody pays for it', () => {
  for (const { readAnswer } of [chatCompletions, completions]) {
    for (const choices of [undefined, null, {}, []]) {
      expect(() => readAnswer({ choices, usage }, undefined)).toThrow(UnusableAnswer);
    }
  }
  expect(chatCompletions.readAnswer({ choices: [{ message: { content: 'Hi' } }], usage }, undefined)).toMatchObject({
    ...{ texts: ['Hi'], usage: { prompt: 9, completion: 2 } },
  });
});
