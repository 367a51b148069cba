import type { Command } from 'commander';
import { addCommonOptions } from '../command-context.ts';
import type { Run } from './run-command.ts';
import { amountHelp } from './wallet-options.ts';

const fileHelp = 'where the keystore goes (default: AUTOPAY_WALLET_FILE, or else ~/.autopay/wallet.json)';

/** Commands of whoever has a wallet: make one, see what it has, put money into it. */
export function addWalletFileCommands(program: Command, run: Run): void {
  const wallet = program.command('wallet').description('the key that pays, in an encrypted keystore, and its money');
  addCommonOptions(wallet.command('new'))
    .description('make a wallet; the password is asked at the terminal, or comes from AUTOPAY_WALLET_PASSWORD')
    .option('--file <path>', fileHelp)
    .action(async (given: { file?: string }, command: Command) => {
      await run(command, async (context) => (await import('../commands/wallet.ts')).runWalletNew(context, given));
    });
  addCommonOptions(wallet.command('import'))
    .description('encrypt a key that you have: it is asked at the terminal, or comes down a pipe, as hex')
    .option('--file <path>', fileHelp)
    .option('--blockrun', "take BlockRun's: BLOCKRUN_WALLET_KEY, or else ~/.blockrun/.session")
    .action(async (given: { file?: string; blockrun?: boolean }, command: Command) => {
      await run(command, async (context) => (await import('../commands/wallet.ts')).runWalletImport(context, given));
    });
  addCommonOptions(wallet.command('address'))
    .description('show the address that commands pay from; needs no password')
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/wallet.ts')).runWalletAddress(context));
    });
  addCommonOptions(wallet.command('balance'))
    .description('show what the wallet has of ether and of each token that the relay takes; needs no password')
    .action(async (_given: object, command: Command) => {
      await run(command, async (context) => (await import('../commands/wallet-funds.ts')).runWalletBalance(context));
    });
  addCommonOptions(wallet.command('fund'))
    .description('show where to send money, with a QR code; on the local chain it is given some at once')
    .option('--amount <amount>', `${amountHelp} (default: what you like; on the local chain 100)`)
    .option('--token <symbol>', "which of the relay's tokens (default: its first)")
    .action(async (given: { amount?: string; token?: string }, command: Command) => {
      await run(command, async (context) =>
        (await import('../commands/wallet-funds.ts')).runWalletFund(context, given),
      );
    });
}
