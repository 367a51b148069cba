import { expect, test } from 'vitest';
import { promptOverheadTokens } from '../../protocol/pricing/token-prices.ts';
import { quoteCall, type QuoteInput } from '../metering/quote-call.ts';
import { meterAnswer } from './meter-answer.ts';

const quoteInput: QuoteInput = {
  ...{ bodyBytes: 100, countedTokens: null, textOnly: true, choices: 2, requestedOutputTokens: 50 },
  ...{ contextTokens: 10_000, maxOutputTokens: 2_000, defaultMaxOutputTokens: 1_000 },
};
const offer = { quoteInput, quote: quoteCall(quoteInput, null) };
const asked = { overheadTokens: 0, prompt: { messages: [{ role: 'user', content: 'Hi there' }] } };
const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
const told = { ...none, prompt: 9, completion: 30 };
const whole = { asked, offer, isWhole: true };

test('the provider’s own numbers are exact', async () => {
  expect(await meterAnswer({ usage: told, texts: ['Hello'] }, whole)).toEqual({
    ...{ usage: told, usageKind: 'exact', fault: null },
  });
});

test('where there are none, the tokenizer estimates, never above the bounds', async () => {
  const { usage, ...rest } = await meterAnswer({ usage: null, texts: ['Hello', ' there'] }, whole);
  expect(rest).toEqual({ usageKind: 'estimated', fault: null });
  expect(usage).toEqual({ ...none, prompt: 9, completion: 2 });
  const long = await meterAnswer({ usage: null, texts: ['a b c d e f g '.repeat(100)] }, whole);
  expect(long.usage.completion).toBe(2 * 50);
});

test('what cannot be is charged at the bound of the quote; what the bytes allow is believed', async () => {
  const byBytes = 100 + promptOverheadTokens;
  const above = await meterAnswer({ usage: { ...told, prompt: byBytes + 1 }, texts: [] }, whole);
  expect(above).toEqual({ usage: { ...told, prompt: byBytes }, usageKind: 'estimated', fault: 'above_bound' });
  // The tokenizer counted fewer: nobody pays more than was quoted, and nothing is wrong.
  const counted = { ...quoteInput, countedTokens: 20 };
  const fewer = { ...whole, offer: { quoteInput: counted, quote: quoteCall(counted, null) } };
  const believed = await meterAnswer({ usage: { ...told, prompt: byBytes }, texts: [] }, fewer);
  expect(believed).toEqual({ usage: { ...told, prompt: 84 }, usageKind: 'estimated', fault: null });
  expect(await meterAnswer({ usage: { ...told, prompt: byBytes + 1 }, texts: [] }, fewer)).toMatchObject({
    fault: 'above_bound',
  });
});

test('a provider’s own instructions for tools are not charged, and no fault', async () => {
  const withTools = { ...whole, asked: { ...asked, prompt: { ...asked.prompt, tools: [] } } };
  const byBytes = 100 + promptOverheadTokens;
  const usage = { ...told, prompt: byBytes + 804 };
  const cut = { usage: { ...told, prompt: byBytes }, usageKind: 'estimated' };
  expect(await meterAnswer({ usage, texts: [] }, withTools)).toEqual({ ...cut, fault: null });
  expect(await meterAnswer({ usage, texts: [] }, whole)).toEqual({ ...cut, fault: 'above_bound' });
});

test('what was broken off used what was told so far, or what was read if that is more', async () => {
  const broken = { ...whole, isWhole: false };
  expect(await meterAnswer({ usage: told, texts: ['Hello'] }, broken)).toEqual({
    ...{ usage: told, usageKind: 'estimated', fault: null },
  });
  const early = await meterAnswer({ usage: { ...told, completion: 0 }, texts: ['Hello', ' there'] }, broken);
  expect(early.usage).toEqual({ ...told, completion: 2 });
  expect(await meterAnswer({ usage: { ...told, prompt: NaN }, texts: [] }, broken)).toMatchObject({
    fault: 'not_a_count',
  });
});

test('zeros are what a provider fills in that does not count: half by half they are estimated', async () => {
  const zeros = { ...none, prompt: 0, completion: 0 };
  const texts = ['Hello', ' there'];
  expect(await meterAnswer({ usage: zeros, texts }, whole)).toEqual({
    ...{ usage: { ...none, prompt: 9, completion: 2 }, usageKind: 'estimated', fault: null },
  });
  const counted = { ...told, prompt: 40, cachedPrompt: 30 };
  expect((await meterAnswer({ usage: { ...counted, completion: 0 }, texts }, whole)).usage).toEqual({
    ...counted,
    completion: 2,
  });
  // What it has counted holds, also where the tokenizer would count more.
  expect((await meterAnswer({ usage: { ...told, prompt: 0, completion: 1 }, texts }, whole)).usage).toEqual({
    ...{ ...none, prompt: 9, completion: 1 },
  });
  // An answer that says nothing, such as an embedding, has none.
  expect(await meterAnswer({ usage: { ...told, completion: 0 }, texts: [] }, whole)).toMatchObject({
    usage: { prompt: 9, completion: 0 },
    usageKind: 'exact',
  });
});

test('a prompt that was told before the output was counted holds; the output is estimated', async () => {
  const begun = { ...none, prompt: 90, cachedPrompt: 80, completion: 0, isBegun: true } as const;
  const { isBegun: _, ...counts } = begun;
  const texts = ['Hello', ' there'];
  for (const isWhole of [true, false]) {
    expect(await meterAnswer({ usage: begun, texts }, { ...whole, isWhole })).toEqual({
      ...{ usage: { ...counts, completion: 2 }, usageKind: 'estimated', fault: null },
    });
  }
  expect(await meterAnswer({ usage: begun, texts: [] }, whole)).toMatchObject({ usageKind: 'estimated' });
});
