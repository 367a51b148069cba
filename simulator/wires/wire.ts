import type { Answer } from '../build-answer.ts';
import type { ChatRequest } from '../parse-request.ts';
import type { Frame } from '../write-frames.ts';

/** An API that the simulator speaks. Whatever it is, the request is read as a chat request, and the answer is a chat answer. */
export interface Wire {
  path: string;
  /**
   * @param body UTF-8 JSON
   * @throws {WireError} 400
   */
  read(body: Buffer): ChatRequest;
  /** The answer as JSON or as a stream, as the request asks. */
  write(answer: Answer, options: WriteOptions): Frame[];
  /** The event by which a stream tells that it failed. */
  errorFrame: () => Frame;
}

/** What an answer is written by. */
export interface WriteOptions {
  request: ChatRequest;
  /** As it came. */
  body: Buffer;
  /** Whether to tell what was used. */
  usage: boolean;
}
