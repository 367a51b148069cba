import type { JsonObject } from '../../../protocol/text/json-object.ts';
import type { UsageShape } from '../../metering/read-usage.ts';
import type { TopLevelMember } from '../scan-top-level.ts';
import type { Deployment, Route } from '../types.ts';
import type { AnswerFacts } from './answer-facts.ts';
import type { StreamMeter } from './stream-step.ts';

/** What the relay needs to know of a request, whatever its endpoint. All else passes through unread. */
export interface ModelRequest {
  /** The parsed body. */
  value: JsonObject;
  /** Where its members stand in the body. */
  members: readonly TopLevelMember[];
  model: string;
  stream: boolean;
  /** Whether the client itself asked for usage in the stream; true where streams always have it. */
  includeUsage: boolean;
  /** The output limit and the name that the client gave it; null if it set none. Of an endpoint without output it is 0. */
  outputLimit: { parameter: string; tokens: number } | null;
  /** Answers that are asked for, each with the output limit. */
  choices: number;
  /** Prompts, each of which may fill the context. */
  inputs: number;
  /** Log probabilities that are asked for with each token of the answer, the token's own included; 0 for none. */
  logprobs: number;
  /** BlockRun's `fallback_models`: names that may answer in the model's place. */
  fallbackModels: readonly string[];
  /** Whether all of the prompt is text, so that the body's bytes bound its tokens. */
  textOnly: boolean;
  /** The member by which it asks for a search, which only some routes sell; undefined if it asks for none. */
  search?: string;
  /** Prompt tokens that the provider adds and that no byte of the body bounds. */
  overheadTokens: number;
  /** What embeddings have in bytes at most, where the model's own have `dimensions` numbers each. */
  answerBytes?: (dimensions: number) => number;
  /** The prompt, for rules and for an estimate where the provider gives no usage. */
  prompt: RequestPrompt;
}

/** A prompt in the shape of chat messages. */
export interface RequestPrompt {
  /** Objects with `role` and `content`, the latter a text or a list of parts with `text`. */
  messages: readonly unknown[];
  tools?: unknown;
  /** Tokens that the client sent as such. */
  tokens?: number;
}

/** What the upstream's body is made from. */
export interface UpstreamBodyOptions {
  body: Buffer;
  asked: ModelRequest;
  route: Pick<Route, 'outputLimitParameter'>;
  deployment: Deployment;
  /** The output bound of the quote: always sent, so that the quote is true. */
  outputTokens: number;
}

/** An error as a client is told of it. */
export interface ToldError {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** How the relay speaks in one API's streams. */
export interface StreamWire {
  /** Reads the provider's events on their way. */
  createMeter(asked: ModelRequest, shape: UsageShape | undefined): StreamMeter;
  /** How often all of an answer is said at most; where that is more than once, single events have all of it, or of the request, in them. */
  repeats: number;
  /** What follows the receipt comment of a whole stream; empty where the API's own last event stands before it. */
  closing: string;
  /** The event that ends a stream which is not whole. */
  writeError(error: ToldError): string;
}

/**
 * One API that calls are made by: codec and meter. A new one is a file that implements this, and a line in `list-endpoints.ts`.
 */
export interface Endpoint {
  /** Of the relay's URL, and, after the provider's base URL, of the provider's. */
  path: `/v1/${string}`;
  /**
   * Reads, checks and bounds a request.
   * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
   */
  parse(body: Buffer): ModelRequest;
  /** The body for an upstream: the client's bytes, but for the members that must differ. */
  buildBody(options: UpstreamBodyOptions): Buffer;
  /**
   * Reads a whole JSON answer that carries no error.
   * @throws UnusableAnswer if it is none of this API.
   */
  readAnswer(value: JsonObject, shape: UsageShape | undefined): AnswerFacts;
  /** Members of an answer whose strings were generated, for an estimate of one that was cut. */
  textMembers: readonly string[];
  /** Null where answers are never streamed. */
  stream: StreamWire | null;
  /** The body of an error answer; `facts` are members beside those of the error. */
  writeError: (error: ToldError, options: { status: number; facts: object }) => JsonObject;
}
