import { createRequire } from 'node:module';
import toolbox from '@nomicfoundation/hardhat-toolbox-mocha-ethers';
import { defineConfig } from 'hardhat/config';

const require = createRequire(import.meta.url);

export default defineConfig({
  plugins: [toolbox],
  solidity: {
    // The native compiler cannot be downloaded everywhere; the npm package of the same compiler can.
    compilers: [
      {
        version: '0.8.28',
        path: require.resolve('solc/soljson.js'),
        settings: { evmVersion: 'cancun', viaIR: true, optimizer: { enabled: true, runs: 10_000 } },
      },
    ],
  },
  paths: { tests: { mocha: 'test/contracts', solidity: 'test/contracts' } },
  networks: {
    l2: { type: 'edr-simulated', chainType: 'op', chainId: 31337 },
  },
  test: {
    solidity: {
      fsPermissions: { readFile: ['protocol/vectors/vectors.json'] },
      // A fixed seed keeps gas snapshots comparable.
      fuzz: { runs: 256, seed: '0x6175746f706179' },
      invariant: { runs: 16, depth: 200, failOnRevert: true },
    },
  },
});
