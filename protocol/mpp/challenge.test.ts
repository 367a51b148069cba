import { describe, expect, it } from 'vitest';
import { challengeId, formatChallenge, isOwnChallenge, parseChallenges } from './challenge.ts';

const secret = Buffer.alloc(32, 7);
const parameters = {
  realm: 'api.example',
  method: 'evm',
  intent: 'session',
  request: 'e30',
  expires: '2026-12-01T00:00:00Z',
};

describe('challenges', () => {
  it('survive the header and are recognised as our own', () => {
    const challenge = { id: challengeId(parameters, secret), ...parameters };
    const [parsed] = parseChallenges(formatChallenge(challenge));
    expect(parsed).toEqual(challenge);
    expect(isOwnChallenge(challenge, secret)).toBe(true);
    expect(isOwnChallenge({ ...challenge, realm: 'other' }, secret)).toBe(false);
    expect(isOwnChallenge(challenge, Buffer.alloc(32, 8))).toBe(false);
  });

  it('are found among other schemes joined in one header, with quoted commas and escapes', () => {
    const one = { id: 'a', ...parameters, realm: 'say "hi", friend' };
    const two = { id: 'b', ...parameters };
    const header = `Bearer realm="x, Payment y", ${formatChallenge(one)}, ${formatChallenge(two)}`;
    expect(parseChallenges(header)).toEqual([one, two]);
    expect(parseChallenges('Basic realm="x"')).toEqual([]);
  });

  it('are refused without an id', () => {
    expect(() => parseChallenges('Payment realm="x", method="evm"')).toThrow(/lacks id/);
  });
});
