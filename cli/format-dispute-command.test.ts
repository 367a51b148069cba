import { expect, it } from 'vitest';
import { formatDisputeCommand } from './format-dispute-command.ts';

it('names the file as a shell takes it', () => {
  expect(formatDisputeCommand('/a/b-1.json', undefined)).toBe('autopay dispute open --evidence /a/b-1.json');
  const quoted = String.raw`autopay dispute open --evidence '/my data/it'\''s.json'`;
  expect(formatDisputeCommand("/my data/it's.json", undefined)).toBe(quoted);
});

it('repeats an endpoint, but none that may have a key in its URL', () => {
  expect(formatDisputeCommand('f', 'http://127.0.0.1:8545')).toContain('--rpc-url http://127.0.0.1:8545');
  for (const url of ['https://host/v3/key', 'https://host/?key=1', 'https://user:key@host/', 'no url']) {
    expect(formatDisputeCommand('f', url)).toBe('autopay dispute open --evidence f --rpc-url "$RPC_URL"');
  }
});
