import { join } from 'node:path';
import type { Command } from 'commander';
import { escapeText } from '../protocol/text/escape-text.ts';
import type { StoredReceipt } from '../client/receipt-store.ts';
import type { PayToken } from '../client/fetch-relay-terms.ts';
import type { Wallet, WalletOptions } from '../client/open-wallet.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { formatJson } from './output.ts';
import { defaultDataDir, readStack, type Stack } from './read-stack.ts';

/** What every command is given. */
export interface CommandContext {
  /** Print one JSON object instead of text. */
  isJson: boolean;
  dataDir: string;
  /** Prints a result: `json` with `--json`, else `text`, whose control characters are written out. */
  print(result: { json: unknown; text: string }): void;
  /** The stack of the data folder. */
  stack(): Promise<Stack>;
}

/** Options that stand before or after a command's name. */
export function addCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON object, for programs; amounts are strings of atomic units')
    .option('--data-dir <dir>', "the stack's data folder (default: .autopay/local in the project)");
}

/** Reads the common options of the command that runs. */
export function readContext(command: Command): CommandContext {
  const options = command.optsWithGlobals<{ json?: boolean; dataDir?: string }>();
  const isJson = options.json === true;
  const dataDir = options.dataDir ?? defaultDataDir;
  return {
    isJson,
    dataDir,
    print: ({ json, text }) => void process.stdout.write(isJson ? formatJson(json) : escapeText(text)),
    stack: () => readStack(dataDir),
  };
}

/**
 * The stack's wallet: its key comes from the environment, or else from the stack's key file (`readKey`); its state is shared with
 * the sidecar's. It trusts the contracts and tokens that the stack names, and no others.
 * @throws AutoPayError `invalid_argument` if the stack has no such token.
 */
export async function openStackWallet(
  stack: Stack,
  options: Pick<WalletOptions, 'deposit' | 'maxCallAmount'> & {
    /** Symbol of the token to pay in, as the stack names it. */
    symbol?: string | undefined;
    onReceipt?: (receipt: StoredReceipt) => void;
  } = {},
): Promise<Wallet> {
  const [{ openWallet }, { readWalletKey }] = await Promise.all([
    import('../client/open-wallet.ts'),
    import('./read-wallet-key.ts'),
  ]);
  const { relayUrl, rpcUrl, contracts, wallet, dataDir } = stack;
  const privateKey = await readWalletKey({ keyFile: wallet.keyFile });
  const { symbol, ...rest } = options;
  const token = symbol === undefined ? {} : { token: findToken(stack, symbol).address };
  return openWallet({ relayUrl, rpcUrl, privateKey, contracts, stateDir: join(dataDir, 'client'), ...token, ...rest });
}

/**
 * A token of a stack, by its symbol in any case.
 * @throws AutoPayError `invalid_argument` if there is none.
 */
export function findToken(stack: Pick<Stack, 'tokens'>, symbol: string): PayToken {
  const found = Object.entries(stack.tokens).find(([name]) => name.toUpperCase() === symbol.toUpperCase());
  if (found) return { symbol: found[0], ...found[1] };
  throw new AutoPayError(
    'invalid_argument',
    `There is no token ${symbol} here. There are ${Object.keys(stack.tokens).join(', ')}.`,
  );
}
