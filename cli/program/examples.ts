import type { Command } from 'commander';

/** A 32-byte id, and an address, shortened as people would see them. */
const callId = '01a1ff6a-2857-7d87-a98f-91ceff8c2cc6';
const account = '0x63d7e3f13be2dabd7b7090850547abff6bd219a2';
const root = `0x${'5e'.repeat(32)}`;

/** One or two command lines for each command; a test reads them as the command line does. */
const examples: Readonly<Record<string, readonly string[]>> = {
  call: ['call "Say hello" --stream', 'call "Say hello" --max-cost 0.01 --json'],
  models: ['models', 'models --token AGPT'],
  chat: ['chat', 'chat sim-small --max-tokens 200', "printf 'Say hello.\\n' | npx --no autopay -- chat --json"],
  spend: ['spend --by day --since 2026-11-01', 'spend --by key'],
  replay: ['replay last', `replay ${callId} --json`],
  'channel open': ['channel open --deposit 2.5', 'channel open --token AGPT --new'],
  'channel status': ['channel status'],
  'channel topup': ['channel topup 2.5'],
  'channel close': ['channel close', 'channel close --on-chain --yes'],
  'channel withdraw': ['channel withdraw'],
  limits: ['limits', 'limits set --per-day 2'],
  'limits set': ['limits set --per-call 0.05 --per-day 2 --per-deposit 5', 'limits set --per-day none'],
  login: ['login'],
  'keys fund': ['keys fund 2'],
  'keys create': ['keys create --name "my app" --budget 0.5 --period 1d --models sim-small'],
  'keys list': ['keys list'],
  'keys delete': ['keys delete key_72ca5c007336d72fee798759'],
  'audit list': ['audit list', 'audit list --model gpt-4o --since 2026-11-01 --limit 100'],
  'audit show': ['audit show last', `audit show ${callId} --json`],
  'audit watch': ['audit watch', 'audit watch --model gpt-4o --json'],
  'audit export': [
    'audit export --output calls.csv',
    'audit export --format json --since 2026-11-01 --output calls.json',
  ],
  'audit verify': [
    'audit verify last',
    `audit verify ${callId} --rpc https://mainnet.base.org --ipfs https://ipfs.example.com`,
    'audit verify --all --car log.car',
  ],
  'audit evidence': [
    `audit evidence last --key ${account}`,
    `audit evidence ${callId} --file evidence.json --key ${account} --json`,
  ],
  'audit open': ['audit open last --request --output prompt.json', `audit open ${callId} --response-file answer.json`],
  'audit check': [
    'audit check prompt.json --rpc https://mainnet.base.org',
    `audit check prompt.json --signer ${account}`,
  ],
  'wallet new': ['wallet new', 'wallet new --file ./wallet.json'],
  'wallet import': ['wallet import', 'wallet import --blockrun'],
  'wallet address': ['wallet address'],
  'wallet balance': ['wallet balance'],
  'wallet fund': ['wallet fund --amount 5 --token USDC'],
  sidecar: [
    'sidecar --port 5001',
    'AUTOPAY_PROXY_TOKEN=$(openssl rand -hex 24) npx --no autopay -- sidecar --host 0.0.0.0',
    'sidecar --api-url https://relay.example.com --rpc-url https://mainnet.base.org',
  ],
  'budget status': ['budget status', 'budget status gpt-4o --rpc-url https://mainnet.base.org'],
  'gov delegate': ['gov delegate'],
  'gov vote': ['gov vote last for'],
  'gov queue': ['gov queue last'],
  'gov execute': ['gov execute last'],
  'gov status': ['gov status', 'gov status last --json'],
  'gov propose set-budget': ['gov propose set-budget gpt-4o 5'],
  'gov propose remove-budget': ['gov propose remove-budget gpt-4o'],
  'gov propose set-default-budget': ['gov propose set-default-budget 100'],
  'gov propose set-rate': ['gov propose set-rate USDC 100'],
  'gov propose set-price': ['gov propose set-price', 'gov propose set-price --config autopay.yaml'],
  'gov propose retire-price': [`gov propose retire-price ${root}`],
  'gov propose add-provider': [`gov propose add-provider openai ${account}`],
  'gov propose grant-relay': [`gov propose grant-relay ${account}`],
  'gov propose revoke-relay': [`gov propose revoke-relay ${account}`],
  'gov propose rule-dispute': ['gov propose rule-dispute 3 0.001'],
  'gov propose release-over-budget': ['gov propose release-over-budget 12'],
  'dispute open': [`dispute open not-in-log ${callId}`, 'dispute open metering last --amount 0.001'],
  'dispute find': ['dispute find', 'dispute find --ipfs https://ipfs.example.com --json'],
  'dispute status': ['dispute status', 'dispute status 3'],
  'dispute uphold': ['dispute uphold 3'],
  'dispute expire': ['dispute expire 3'],
  'dispute pay': ['dispute pay 3'],
  'witness run': [
    'witness run --name witness.example.com/w1 --log http://127.0.0.1:4000/log',
    'witness run --config witness.yaml --port 4021',
  ],
  'witness key': ['witness key --name witness.example.com/w1'],
  fsck: ['fsck', 'fsck --offline'],
  relay: ['relay --port 4000', 'relay --config litellm-config.yaml'],
  'config check': ['config check', 'config check litellm-config.yaml --offline'],
  'config explain': ['config explain gpt-4o', 'config explain gpt-4o --config litellm-config.yaml --json'],
  deploy: [`deploy --network base --relay ${account} --bond-payout ${account} --agpt-holder ${account}`],
};

/** Adds to each command's help how it is called. */
export function addExamples(program: Command): void {
  for (const [path, command] of commandsOf(program)) {
    const lines = (examples[path] ?? []).map(
      (line) => `  ${line.includes('npx ') ? line : `npx --no autopay -- ${line}`}`,
    );
    if (lines.length > 0)
      command.addHelpText('after', `\nExample${lines.length === 1 ? '' : 's'}:\n${lines.join('\n')}`);
  }
}

/** All commands below a command, by their names with spaces between. */
export function commandsOf(command: Command, path = ''): [path: string, command: Command][] {
  return command.commands.flatMap((inner) => {
    const name = `${path}${inner.name()}`;
    return [[name, inner] as [string, Command], ...commandsOf(inner, `${name} `)];
  });
}
