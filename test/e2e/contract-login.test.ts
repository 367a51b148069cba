import { getAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { deployContract, type DeployedContract } from '../support/deploy-contract.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

/** `Erc1271Wallet.Mode` of test/contracts/mocks: how the wallet answers `isValidSignature`. */
const modes = { accepts: 0, refuses: 1, reverts: 2, burnsGas: 3, returnBomb: 4, shortAnswer: 5 };

let stack: TestStack;
let wallet: DeployedContract;
let owner: KeyOwner;
/** A key of the wallet's owner; its account is not the wallet. */
let privateKey: Hex;

beforeAll(async () => {
  stack = await startTestStack();
  ({ privateKey } = stack.payFetchOptions);
  owner = new KeyOwner(stack.payer, privateKey);
  const { rpcUrl } = stack.stack;
  wallet = await deployContract({ rpcUrl, file: 'Erc1271Wallets', name: 'Erc1271Wallet', args: [modes.accepts] });
}, 180_000);
afterAll(() => stack.stop());

/** A login of the contract, signed by its owner. */
async function logIn(changes: { address?: Hex; signature?: Hex } = {}) {
  const { address = wallet.address, signature } = changes;
  const login = await owner.signLogin({ address: getAddress(address) });
  return owner.ask('POST', '/v1/auth/login', { body: signature === undefined ? login : { ...login, signature } });
}

describe('the login of a wallet that is a contract (ERC-1271)', () => {
  it('gives a session of the contract, not of the account that signed', async () => {
    const { body, status } = await logIn();
    expect([status, body['payer']]).toEqual([200, wallet.address]);
    const balance = await owner.ask('GET', '/v1/balance', { bearer: String(body['token']) });
    expect(balance.body).toMatchObject({ payer: wallet.address });
  });

  it('takes signatures that are none of a key, if the contract does', async () => {
    expect((await logIn({ signature: `0x${'ab'.repeat(200)}` })).status).toBe(200);
  });

  it('uses its nonce once', async () => {
    const login = await owner.signLogin({ address: getAddress(wallet.address) });
    const answers = await Promise.all([1, 2, 3].map(() => owner.ask('POST', '/v1/auth/login', { body: login })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401, 401]);
  });

  it.each(['refuses', 'reverts', 'burnsGas', 'returnBomb', 'shortAnswer'] as const)(
    'is refused where the contract %s',
    async (mode) => {
      await wallet.call('setMode', [modes[mode]]);
      const { body, status } = await logIn();
      expect([status, body.error?.code]).toEqual([401, 'invalid_login']);
    },
  );

  it('is refused for an account without code that did not sign', async () => {
    const stranger = privateKeyToAccount(`0x${'7'.repeat(64)}`).address;
    const { body, status } = await logIn({ address: stranger });
    expect([status, body.error?.code]).toEqual([401, 'invalid_login']);
  });
});
