import { Agent, type Dispatcher } from 'undici';
import { TransportError, type Transport, type UpstreamRequest, type UpstreamResponse } from '../call/transport.ts';
import type { Deployment } from '../call/types.ts';
import { dispatchRequest } from './dispatch-request.ts';

/** A provider that speaks OpenAI's API, Anthropic's, or both. */
export interface Provider {
  /** As deployments name it; `provider@region`, a deployment's id, if it is for that region only. */
  name: string;
  /** URL up to and with `/v1`, such as `https://api.openai.com/v1`. */
  baseUrl: string;
  /** Sent as `Authorization: Bearer`, by Anthropic's own API as `x-api-key`; none for providers without keys. */
  apiKey?: string;
}

/** Time-outs and bounds of the connections to providers. */
export interface TransportOptions {
  providers: readonly Provider[];
  connectTimeoutMs: number;
  /** From the sent request to the headers of the answer. */
  headersTimeoutMs: number;
  /** Between two pieces of a body. */
  idleTimeoutMs: number;
  /** The most connections to one origin; further requests wait for one. */
  maxConnections: number;
}

/** A transport with connections of its own. */
export interface ProviderTransport extends Transport {
  /** Whether the deployment's provider answers `GET /models`, which costs nothing, and takes the key. Never rejects. */
  probe(deployment: Deployment): Promise<boolean>;
  close(): Promise<void>;
}

/** Kept this long if the provider does not say: shorter than common servers keep an idle connection. */
const keepAliveTimeoutMs = 4_000;

interface Endpoint {
  origin: string;
  /** Path of the base URL; what follows `/v1` in an endpoint's path stands behind it. */
  root: string;
  /** Built once, so that a request costs no object of its own. */
  openai: WireHeaders;
  anthropic: WireHeaders;
}

/** Headers of requests for JSON and for streams. */
interface WireHeaders {
  json: Record<string, string>;
  stream: Record<string, string>;
}

/** The version of Anthropic's API that the relay speaks: nothing of its clients' headers goes to a provider. */
export const anthropicVersion = '2023-06-01';
const messagesPath = '/v1/messages';

/**
 * Sends calls to providers over undici, with connections kept alive and no retries. Nothing
 * of the client's headers goes to a provider, its `Authorization` least of all.
 */
export function createTransport(options: TransportOptions): ProviderTransport {
  const endpoints = new Map(options.providers.map((provider) => [provider.name, toEndpoint(provider)]));
  const agent = new Agent({
    connections: options.maxConnections,
    pipelining: 1,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: options.idleTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
  });
  return {
    send: (request) => send({ agent, endpoints }, request),
    probe: (deployment) => probe({ agent, endpoints }, deployment, options.headersTimeoutMs),
    close: () => agent.destroy(),
  };
}

interface TransportDeps {
  agent: Agent;
  endpoints: ReadonlyMap<string, Endpoint>;
}

async function send({ agent, endpoints }: TransportDeps, request: UpstreamRequest): Promise<UpstreamResponse> {
  const { body, deployment, path, signal, stream, timeouts } = request;
  // A region may have an endpoint of its own.
  const endpoint = endpoints.get(deployment.id) ?? endpoints.get(deployment.provider);
  if (!endpoint) throw new TransportError('unreachable', `no provider is named ${deployment.provider}`);
  // The transport of one wire or the other: where a key goes is all that they differ in.
  const isNative = path === messagesPath && deployment.quirks?.anthropicMessages === true;
  const wire = isNative ? endpoint.anthropic : endpoint.openai;
  const own = stream ? wire.stream : wire.json;
  const headers = request.headers ? { ...own, ...request.headers } : own;
  const { origin, root } = endpoint;
  const options: Dispatcher.DispatchOptions = {
    ...{ origin, path: root + path.slice('/v1'.length), method: 'POST', headers, body },
    // Null: the agent's own.
    ...{ headersTimeout: timeouts?.headersMs ?? null, bodyTimeout: timeouts?.idleMs ?? null },
  };
  return dispatchRequest(agent, options, signal);
}

async function probe({ agent, endpoints }: TransportDeps, deployment: Deployment, timeoutMs: number): Promise<boolean> {
  const endpoint = endpoints.get(deployment.id) ?? endpoints.get(deployment.provider);
  if (!endpoint) return false;
  const { anthropic, openai, origin, root } = endpoint;
  const { json: headers } = deployment.quirks?.anthropicMessages ? anthropic : openai;
  const path = `${root}/models`;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const { body, statusCode } = await agent.request({ origin, path, method: 'GET', headers, signal });
    await body.dump();
    return statusCode < 400;
  } catch {
    return false;
  }
}

function toEndpoint({ apiKey, baseUrl }: Provider): Endpoint {
  const { origin, pathname } = new URL(baseUrl);
  const common = { 'content-type': 'application/json', 'accept-encoding': 'identity' };
  const bearer: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const own: Record<string, string> = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  return {
    origin,
    root: pathname.replace(/\/+$/, ''),
    openai: toHeaders({ ...common, ...bearer }),
    anthropic: toHeaders({ ...common, ...own, 'anthropic-version': anthropicVersion }),
  };
}

function toHeaders(common: Record<string, string>): WireHeaders {
  return {
    json: { ...common, accept: 'application/json' },
    stream: { ...common, accept: 'text/event-stream' },
  };
}
