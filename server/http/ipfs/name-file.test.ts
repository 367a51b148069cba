import { expect, test } from 'vitest';
import { nameFile } from './name-file.ts';

test.each([
  [null, 'attachment; filename="usual.bin"'],
  ['', 'attachment; filename="usual.bin"'],
  ['"\r\n\\/', 'attachment; filename="usual.bin"'],
  ['foobar.bin', 'attachment; filename="foobar.bin"'],
  ['a"; x="b', 'attachment; filename="a; x=b"'],
  ['../../etc/passwd', 'attachment; filename="....etcpasswd"'],
  ['testтест.pdf', `attachment; filename="test____.pdf"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.pdf`],
  ["it's (🙂)", `attachment; filename="it's (_)"; filename*=UTF-8''it%27s%20%28%F0%9F%99%82%29`],
  ['x'.repeat(300), `attachment; filename="${'x'.repeat(255)}"`],
])('%s', (asked, header) => {
  expect(nameFile(asked, 'usual.bin')).toBe(header);
});
