/** The value of a JSON text, or of its bytes in UTF-8; undefined, which no JSON stands for, if it is none. */
export function parseJson(json: string | Uint8Array): unknown {
  const text =
    typeof json === 'string' ? json : Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
