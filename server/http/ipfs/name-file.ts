const maxCharacters = 255;

/**
 * A `Content-Disposition` that has a browser store what it gets, never show it (RFC 6266; RFC 8187 for names beyond ASCII).
 * @param asked `?filename=`, if the asker names the file
 * @param usual its name otherwise
 */
export function nameFile(asked: string | null, usual: string): string {
  // Without what ends a quoted string or a line, or leads into another folder.
  const cleaned = (asked ?? '').replaceAll(/[\p{Cc}"\\/]/gu, '').slice(0, maxCharacters);
  const name = cleaned.toWellFormed() === '' ? usual : cleaned.toWellFormed();
  const ascii = name.replaceAll(/[^\x20-\x7e]/gu, '_');
  const extended = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${ascii}"${ascii === name ? '' : `; filename*=UTF-8''${extended}`}`;
}
