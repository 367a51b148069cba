import type { ByteString } from '../byte-string.ts';
import type { AnswerFacts } from './answer-facts.ts';

/** What an event of a provider's stream is, and what of it goes to the client. */
export type StreamStep =
  /** Nothing that concerns the client. */
  | { kind: 'nothing' }
  /** A comment that keeps the connection alive. */
  | { kind: 'comment'; bytes: ByteString }
  /** A piece of the answer; null if the client does not see it. */
  | { kind: 'chunk'; bytes: ByteString | null }
  /** The end of a whole answer; the bytes MUST NOT leave before the charge is durable. Null where the relay writes its own. */
  | { kind: 'end'; bytes: ByteString | null };

/** Reads a stream's events on their way. */
export interface StreamMeter extends AnswerFacts {
  /**
   * Takes one event, line ends as LF, empty line included.
   * @throws BrokenStream if the provider failed, or sent what cannot be read.
   */
  takeEvent(event: ByteString): StreamStep;
  /** Whether a connection that ends now has brought the whole answer, though no event said so. */
  readonly isFinished: boolean;
}
