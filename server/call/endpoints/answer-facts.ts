import type { ToldUsage } from '../../metering/read-usage.ts';

/** What an answer says of itself, whether it came as JSON or as a stream. */
export interface AnswerFacts {
  /** As the provider told it, not yet judged (metering/judge-usage.ts); null if it gave none. */
  usage: ToldUsage | null;
  /** `model` of the answer; null if it names none. */
  model: string | null;
  /** The answer's texts, for an estimate where there is no usage. */
  texts: readonly string[];
}
