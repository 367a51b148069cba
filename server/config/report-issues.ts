/** Where something stands in a configuration: keys and indexes from the root. */
export type ConfigPath = readonly (string | number)[];

/** Something that is wrong with a configuration: where, and what. */
export interface ConfigIssue {
  path: ConfigPath;
  message: string;
}

/** Reports each name that stood in the list before. */
export function requireUnique(
  names: readonly string[],
  issueAt: (index: number) => ConfigIssue,
  issues: ConfigIssue[],
): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) issues.push(issueAt(index));
  });
}
