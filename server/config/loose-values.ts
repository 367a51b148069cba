/** The members of an object; none of anything else. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The entries of a list; none of anything else. */
export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The texts that stand under `key` in a list’s entries. */
export function namesOf(list: unknown, key: string): string[] {
  return asList(list).flatMap((entry) => {
    const name = asRecord(entry)[key];
    return typeof name === 'string' ? [name] : [];
  });
}
