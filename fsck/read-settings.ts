import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isHex, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { TokenPrices } from '../protocol/pricing/token-prices.ts';

/** Where a relay's contracts are. */
export interface ContractAddresses {
  paymentChannels: Hex;
  autoPayLLM: Hex;
  auditLog: Hex;
}

/** What the checker takes from `autopay.yaml`. */
export interface Settings {
  rpcUrl: string;
  chainId: number;
  deployedAtBlock: number;
  contracts: ContractAddresses;
  token: { address: Hex; symbol: string; decimals: number };
  /** Null: free. */
  prices: ReadonlyMap<string, TokenPrices | null>;
}

type Mapping = Record<string, unknown>;

/**
 * Reads a relay's configuration by itself: what the relay makes of that file is among the things that are checked.
 * @throws AutoPayError `invalid_configuration`.
 */
export async function readSettings(dataDir: string): Promise<Settings> {
  const file = join(dataDir, 'autopay.yaml');
  try {
    const yaml = parse(await readFile(file, 'utf8')) as Mapping;
    const chain = mapping(yaml['chain']);
    const contracts = mapping(yaml['contracts']);
    const token = mapping(yaml['token']);
    const decimals = count(token['decimals']);
    const routes = yaml['routes'];
    if (!Array.isArray(routes)) throw new TypeError('routes is no list');
    return {
      rpcUrl: text(chain['rpcUrl']),
      chainId: count(chain['id']),
      deployedAtBlock: count(chain['deployedAtBlock']),
      contracts: {
        paymentChannels: address(contracts['paymentChannels']),
        autoPayLLM: address(contracts['autoPayLLM']),
        auditLog: address(contracts['auditLog']),
      },
      token: { address: address(token['address']), symbol: text(token['symbol']), decimals },
      prices: new Map(routes.map((route) => readPrices(mapping(route), decimals))),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unreadable';
    throw new AutoPayError(
      'invalid_configuration',
      `${file} does not tell where the relay's contracts are: ${reason}.`,
      { cause },
    );
  }
}

function readPrices(route: Mapping, decimals: number): [string, TokenPrices | null] {
  if (route['free'] === true) return [text(route['model']), null];
  const price = mapping(route['price']);
  const atomic = (key: string, otherwise: bigint) =>
    price[key] === undefined ? otherwise : toAtomic(text(price[key]), decimals);
  const prompt = atomic('prompt', 0n);
  const completion = atomic('completion', 0n);
  return [
    text(route['model']),
    {
      prompt,
      completion,
      cachedPrompt: atomic('cachedPrompt', prompt),
      cacheWrite: atomic('cacheWrite', prompt),
      audioPrompt: atomic('audioPrompt', prompt),
      audioCompletion: atomic('audioCompletion', completion),
      request: atomic('request', 0n),
    },
  ];
}

/** Whole tokens in decimal to atomic units: exact, or an error. */
function toAtomic(decimal: string, decimals: number): bigint {
  const match = /^(\d+)(?:\.(\d+?)0*)?$/.exec(decimal);
  const fraction = match?.[2] ?? '';
  if (match === null || fraction.length > decimals)
    throw new TypeError(`${decimal} is no amount with ${decimals} decimals`);
  return BigInt(match[1] ?? '0') * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0') || '0');
}

function mapping(value: unknown): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('a section is missing');
  return value as Mapping;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing');
  return value;
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new TypeError('a number is missing');
  return value;
}

function address(value: unknown): Hex {
  if (!isHex(value, 20)) throw new TypeError('an address is missing, or is not in quotes');
  return value.toLowerCase() as Hex;
}
