/** The part of a JSON-lines logger that background work uses: facts first, then what happened. */
export interface JobLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
