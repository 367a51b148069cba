import { expect, test } from 'vitest';
import { detectScript } from './detect-script.ts';

test.each([
  ['Please review this contract.', 'latin'],
  ['Пожалуйста, проверьте договор', 'cyrillic'],
  ['请审查这份合同', 'han'],
  ['この契約書を確認してください', 'kana'],
  ['계약서를 검토해 주세요', 'hangul'],
  ['يرجى مراجعة العقد', 'arabic'],
  ['אנא בדוק את החוזה', 'hebrew'],
  ['कृपया अनुबंध देखें', 'devanagari'],
  ['Παρακαλώ ελέγξτε τη σύμβαση', 'greek'],
  ['โปรดตรวจสอบสัญญา', 'thai'],
  ['请 review 这份很长的合同', 'han'],
  ['12345 !? 🙂', null],
  ['', null],
])('%s', (text, expected) => {
  expect(detectScript(text)).toBe(expected);
});
