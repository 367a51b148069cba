import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAddress, isAddress } from 'viem';
import { z } from 'zod';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

const folder = join(import.meta.dirname, '../../ignition/parameters');

/** An address with its checksum, so that a slip of the pen shows. */
const checksummedSchema = z
  .string()
  .refine((text) => isAddress(text, { strict: true }) && text === getAddress(text), 'not an address with its checksum')
  .transform((text) => getAddress(text));

/** A contract of somebody else, with the page of that project which says so. */
const foreignContractSchema = z.strictObject({ address: checksummedSchema, source: z.url({ protocol: /^https$/ }) });

/** Whole tokens as a decimal string. */
const wholeTokensSchema = z.string().regex(/^(0|[1-9][0-9]*)(\.[0-9]+)?$/);

const disputeTermsSchema = z.strictObject({ claimantBond: wholeTokensSchema, minPenalty: wholeTokensSchema });

const seconds = z.number().int().min(0);

const networkParametersSchema = z.strictObject({
  /** The chain's name, for people. */
  name: z.string().min(1),
  chainId: z.number().int().positive(),
  /** What gas is paid in. */
  nativeToken: z.string().min(1),
  /** Circle's USDC; null: the same code is deployed as a token of our own. */
  usdc: foreignContractSchema.nullable(),
  /** Uniswap's Permit2; null where there is none yet: a development chain gets its code (place-stand-ins.ts). */
  permit2: foreignContractSchema.nullable(),
  /** x402's Permit2 proxies; null where there are none yet: a development chain gets stand-ins. */
  x402: z.strictObject({ exactProxy: foreignContractSchema, uptoProxy: foreignContractSchema }).nullable(),
  /** Chainlink's USDC / USD; the heartbeat is the oldest answer that is used. */
  usdcUsdFeed: foreignContractSchema.extend({ heartbeatSeconds: seconds.min(1) }).nullable(),
  /** Chainlink's uptime feed of the sequencer; null where the chain has none. */
  sequencerFeed: foreignContractSchema.nullable(),
  governance: z.strictObject({
    votingDelaySeconds: seconds,
    votingPeriodSeconds: seconds.min(1),
    lateQuorumExtensionSeconds: seconds,
    /** Votes that a proposer needs, ten-thousandths of the supply. */
    proposalThresholdBasisPoints: z.number().int().min(1).max(100),
    quorumPercent: z.number().int().min(1).max(50),
    timelockDelaySeconds: seconds,
  }),
  disputeWindowSeconds: seconds,
  /** Time that a receipt may take into the anchored log: a missing one can be challenged from then on. */
  mergeDelaySeconds: seconds,
  budgets: z.strictObject({
    /** What a model that nobody named may spend per UTC day. */
    defaultDailyAgpt: wholeTokensSchema,
    /** What one USDC counts in budgets. */
    agptPerUsdc: wholeTokensSchema,
  }),
  disputes: z.strictObject({ USDC: disputeTermsSchema, AGPT: disputeTermsSchema }),
});

/** What a deployment on one chain is made with: ignition/parameters/<network>.json. */
export type NetworkParameters = z.output<typeof networkParametersSchema>;

/** The networks that have parameters. */
export function listNetworks(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/**
 * Reads the parameters of a network.
 * @throws AutoPayError `invalid_argument` if there is none of this name, `invalid_configuration` if its file is not as it should be
 */
export function readNetworkParameters(network: string): NetworkParameters {
  const networks = listNetworks();
  if (!networks.includes(network)) {
    throw new AutoPayError('invalid_argument', `There is no network '${network}'; there are ${networks.join(', ')}.`);
  }
  const file = join(folder, `${network}.json`);
  const parsed = networkParametersSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new AutoPayError('invalid_configuration', `${file}: ${z.prettifyError(parsed.error)}`);
}

/** The parameters for a chain; a chain that nobody named is taken for a development chain and gets those of `local`. */
export function readParametersOfChain(chainId: number): NetworkParameters {
  const all = listNetworks().map(readNetworkParameters);
  return all.find((parameters) => parameters.chainId === chainId) ?? readNetworkParameters('local');
}
