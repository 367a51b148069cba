import { WireError } from './wire-error.ts';

/** Any JSON object. */
export type JsonObject = { [key: string]: unknown };

/** A function among the request's `tools`. */
export interface FunctionTool {
  name: string;
  /** JSON Schema of the arguments; empty if the request has none. */
  parameters: JsonObject;
}

/** What shapes the text: free text, any JSON object, or JSON after a schema. */
export type AnswerFormat = { type: 'text' } | { type: 'json_object' } | { type: 'json_schema'; schema: JsonObject };

/** The part of `POST /v1/chat/completions` that the simulator acts on. Other parameters are accepted and ignored. */
export interface ChatRequest {
  /** As requested, directives included. */
  model: string;
  messages: readonly JsonObject[];
  stream: boolean;
  includeUsage: boolean;
  /** Verathos' `include_proof`. */
  includeProof: boolean;
  n: number;
  /** From `max_completion_tokens` or `max_tokens`; includes reasoning tokens. */
  maxTokens: number | null;
  stop: readonly string[];
  seed: number | null;
  tools: readonly FunctionTool[];
  toolChoice: 'auto' | 'required' | { name: string };
  format: AnswerFormat;
}

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);

/**
 * Checks a request body after the OpenAI API reference, "Create chat completion".
 *
 * @param body UTF-8 JSON
 * @throws {WireError} 400 with the parameter's path in `param`
 */
export function parseRequest(body: Buffer): ChatRequest {
  const root = parseJson(body);
  if (root.model === undefined || root.model === '') {
    throw refuse('Name a model: the parameter model is missing.', 'model', 'missing_required_parameter');
  }
  if (typeof root.model !== 'string') throw wrongType('model', 'a string');
  const format = readFormat(root.response_format);
  const streamOptions = optional(root.stream_options, 'stream_options', isObject, 'an object') ?? {};
  const stream = optional(root.stream, 'stream', isBoolean, 'a boolean') ?? false;
  if (root.stream_options != null && !stream) {
    throw refuse('stream_options is allowed only when stream is true.', 'stream_options', null);
  }
  const tools = readTools(root.tools);
  return {
    model: root.model,
    messages: readMessages(root.messages),
    stream,
    includeUsage:
      optional(streamOptions.include_usage, 'stream_options.include_usage', isBoolean, 'a boolean') ?? false,
    includeProof: optional(root.include_proof, 'include_proof', isBoolean, 'a boolean') ?? false,
    n: readInteger(root.n, 'n', { min: 1, max: 128 }) ?? 1,
    maxTokens: readLimit(root),
    stop: readStop(root.stop),
    seed: readInteger(root.seed, 'seed', { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
    tools,
    toolChoice: readToolChoice(root.tool_choice, tools),
    format,
  };
}

function parseJson(body: Buffer): JsonObject {
  let root: unknown;
  try {
    root = JSON.parse(body.toString('utf8'));
  } catch {
    throw refuse('The body is not valid JSON. Send a JSON object with content-type application/json.', null, null);
  }
  if (!isObject(root)) throw refuse('The body must be a JSON object.', null, null);
  return root;
}

function readMessages(value: unknown): JsonObject[] {
  if (value === undefined) {
    throw refuse('The parameter messages is missing.', 'messages', 'missing_required_parameter');
  }
  if (!Array.isArray(value)) throw wrongType('messages', 'an array of objects');
  if (value.length === 0) throw refuse('messages must hold at least one message.', 'messages', 'empty_array');
  return value.map((message: unknown, index) => {
    const path = `messages[${index}]`;
    if (!isObject(message)) throw wrongType(path, 'an object');
    if (typeof message.role !== 'string' || !ROLES.has(message.role)) {
      throw refuse(`${path}.role must be one of: ${[...ROLES].join(', ')}.`, `${path}.role`, 'invalid_value');
    }
    checkContent(message, path);
    return message;
  });
}

function checkContent(message: JsonObject, path: string): void {
  const { content } = message;
  if (typeof content === 'string') return;
  if (content == null && message.role === 'assistant') return;
  if (!Array.isArray(content)) throw wrongType(`${path}.content`, 'a string or an array of content parts');
  content.forEach((part: unknown, index) => {
    const at = `${path}.content[${index}]`;
    if (!isObject(part)) throw wrongType(at, 'an object');
    if (part.type === 'text' && typeof part.text === 'string') return;
    if (part.type === 'refusal' && typeof part.refusal === 'string') return;
    if (part.type === 'image_url' && isObject(part.image_url) && typeof part.image_url.url === 'string') return;
    throw refuse(`${at} must be a content part of type text or image_url.`, at, 'invalid_value');
  });
}

function readLimit(root: JsonObject): number | null {
  const range = { min: 1, max: Number.MAX_SAFE_INTEGER };
  const legacy = readInteger(root.max_tokens, 'max_tokens', range);
  const current = readInteger(root.max_completion_tokens, 'max_completion_tokens', range);
  if (legacy !== null && current !== null) {
    throw refuse('Set max_tokens or max_completion_tokens, not both.', 'max_tokens', 'invalid_parameter_combination');
  }
  return current ?? legacy;
}

function readStop(value: unknown): string[] {
  if (value == null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > 4) throw refuse('stop takes at most 4 sequences.', 'stop', 'array_above_max_length');
  return list.map((item) => {
    if (typeof item !== 'string') throw wrongType('stop', 'a string or an array of strings');
    return item;
  });
}

function readTools(value: unknown): FunctionTool[] {
  const list = optional(value, 'tools', Array.isArray, 'an array') ?? [];
  return list.map((tool: unknown, index) => {
    const definition = isObject(tool) && tool.type === 'function' ? tool.function : undefined;
    if (!isObject(definition) || typeof definition.name !== 'string') {
      throw refuse(
        `tools[${index}] must be {type: "function", function: {name, …}}.`,
        `tools[${index}]`,
        'invalid_value',
      );
    }
    return { name: definition.name, parameters: isObject(definition.parameters) ? definition.parameters : {} };
  });
}

function readToolChoice(value: unknown, tools: readonly FunctionTool[]): ChatRequest['toolChoice'] {
  if (value == null || value === 'auto' || value === 'none') return 'auto';
  if (tools.length === 0) throw refuse('tool_choice is allowed only when tools are given.', 'tool_choice', null);
  if (value === 'required') return 'required';
  const name = isObject(value) && isObject(value.function) ? value.function.name : undefined;
  if (typeof name !== 'string') throw refuse('tool_choice has an unknown form.', 'tool_choice', 'invalid_value');
  if (!tools.some((tool) => tool.name === name)) {
    throw refuse(`tool_choice names '${name}', which is not among tools.`, 'tool_choice', null);
  }
  return { name };
}

function readFormat(value: unknown): AnswerFormat {
  if (value == null) return { type: 'text' };
  if (!isObject(value)) throw wrongType('response_format', 'an object');
  if (value.type === 'text' || value.type === 'json_object') return { type: value.type };
  if (value.type === 'json_schema' && isObject(value.json_schema)) {
    return { type: 'json_schema', schema: isObject(value.json_schema.schema) ? value.json_schema.schema : {} };
  }
  throw refuse(
    'response_format.type must be text, json_object or json_schema.',
    'response_format.type',
    'invalid_value',
  );
}

function readInteger(value: unknown, path: string, range: { min: number; max: number }): number | null {
  if (value == null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(path, 'an integer');
  if (value < range.min) {
    throw refuse(`${path} must be at least ${range.min}.`, path, 'integer_below_min_value');
  }
  if (value > range.max) {
    throw refuse(`${path} must be at most ${range.max}.`, path, 'integer_above_max_value');
  }
  return value;
}

function optional<T>(
  value: unknown,
  path: string,
  is: (value: unknown) => value is T,
  expected: string,
): T | undefined {
  if (value == null) return undefined;
  if (!is(value)) throw wrongType(path, expected);
  return value;
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

/** True for JSON objects, false for arrays and null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(path: string, expected: string): WireError {
  return refuse(`Invalid type for '${path}': it must be ${expected}.`, path, 'invalid_type');
}

function refuse(message: string, param: string | null, code: string | null): WireError {
  return new WireError({ status: 400, message, param, code });
}
