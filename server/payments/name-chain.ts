import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/**
 * Adds the chain to what an error tells the client, whose token address may mean something else on another chain.
 * @returns the same error
 */
export function nameChain(error: unknown, chainId: number): unknown {
  return error instanceof AutoPayError ? Object.assign(error, { facts: { ...error.facts, chainId } }) : error;
}
