/**
 * Loaded into Portkey's process before it (`--import`). As published, 1.15.2 answers every stream of Node's own `fetch` with 500: it adds
 * headers to those of the answer, which are immutable. Here streams come with headers of their own, which costs some microseconds.
 */
const { fetch: nodeFetch, Headers: NodeHeaders, Response: NodeResponse } = globalThis;

globalThis.fetch = async (input, init) => {
  const response = await nodeFetch(input, init);
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
  return new NodeResponse(response.body, { status: response.status, headers: new NodeHeaders(response.headers) });
};
