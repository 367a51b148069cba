import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/**
 * What the bond lacks for a booking that the chain refused with `AutoPayLLM_BondTooLow`, atomic units; undefined if the
 * error is another one.
 */
export function readShortBond(error: unknown): bigint | undefined {
  if (!(error instanceof AutoPayError) || error.facts['contractError'] !== 'AutoPayLLM_BondTooLow') return undefined;
  // (token, bond, required)
  const [, bond = '0', required = '0'] = String(error.facts['contractErrorArguments']).split(', ');
  return BigInt(required) - BigInt(bond);
}
