/** One JSON-RPC request to a local chain; throws what the node answers as an error. */
async function request(rpcUrl: string, method: string, params: readonly unknown[] = []): Promise<void> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(20_000),
  });
  const answer = (await response.json()) as { error?: { message: string } };
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
}

/** Lets time go by on a local chain. */
export async function advanceTime(rpcUrl: string, seconds: number): Promise<void> {
  await request(rpcUrl, 'evm_increaseTime', [seconds]);
  await request(rpcUrl, 'evm_mine');
}

/** Sets the time of a local chain, which must lie behind, to that of the clock. */
export async function catchUpWithClock(rpcUrl: string): Promise<void> {
  await request(rpcUrl, 'evm_setNextBlockTimestamp', [Math.floor(Date.now() / 1000)]);
  await request(rpcUrl, 'evm_mine');
}
