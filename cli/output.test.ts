import { APIConnectionError, APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { describeCommandError, formatJson, formatTable } from './output.ts';

describe('output', () => {
  it('lines columns up', () => {
    expect(
      formatTable([
        ['a', 'bbb', 'c'],
        ['aaaa', 'b', ''],
      ]),
    ).toBe('a     bbb  c\naaaa  b\n');
  });

  it('keeps every cell in its line', () => {
    expect(
      formatTable([
        ['a\nb', 'c'],
        ['d', '\x1b[2K'],
      ]),
    ).toBe('a\\x0ab  c\nd       \\x1b[2K\n');
  });

  it('writes amounts exactly', () => {
    expect(formatJson({ charge: 2n ** 100n })).toBe('{"charge":"1267650600228229401496703205376"}\n');
  });

  it('shows every error by a code', () => {
    expect(describeCommandError(new AutoPayError('port_taken', 'Choose another.'))).toEqual({
      code: 'port_taken',
      message: 'Choose another.',
    });
    const relayed = APIError.generate(
      402,
      { error: { code: 'channel_closing', message: 'It closes.' } },
      undefined,
      new Headers(),
    );
    expect(describeCommandError(relayed)).toEqual({ code: 'channel_closing', message: 'It closes.' });
    const bare = APIError.generate(502, undefined, 'Bad gateway', new Headers());
    expect(describeCommandError(bare).code).toBe('upstream_error');
    expect(describeCommandError(new APIConnectionError({ message: 'gone' })).code).toBe('upstream_unreachable');
    const socketError = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    expect(describeCommandError(new TypeError('fetch failed', { cause: socketError })).code).toBe(
      'upstream_unreachable',
    );
    expect(describeCommandError('odd')).toEqual({ code: 'internal_error', message: 'odd' });
  });
});
