import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { EmptyAnswer, UnusableAnswer } from '../router.ts';

/**
 * The choices of an answer in OpenAI's shape.
 * @throws EmptyAnswer if there is none: an empty list, or null as Gemini has it
 * @throws UnusableAnswer if the answer has no such member, or names an error beside it
 */
export function readChoices({ choices, error }: JsonObject): JsonObject[] {
  const isEmpty = choices === null || (Array.isArray(choices) && choices.length === 0);
  if (isEmpty && (error === undefined || error === null)) throw new EmptyAnswer();
  if (isEmpty || !Array.isArray(choices)) throw new UnusableAnswer('the answer has no choices');
  return choices.filter(isObject);
}
