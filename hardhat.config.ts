import { globSync } from 'node:fs';
import { join } from 'node:path';
import toolbox from '@nomicfoundation/hardhat-toolbox-mocha-ethers';
import { defineConfig } from 'hardhat/config';

const chainStart = process.env['AUTOPAY_CHAIN_START'];
/** Of the local chain; tests with two chains give the second one another. */
const chainId = Number(process.env['AUTOPAY_CHAIN_ID'] ?? 31_337);
/** Where a build of another kind goes, so that the ordinary one stays: see scripts/check-coverage.ts. */
const buildFolder = process.env['AUTOPAY_BUILD_FOLDER'];

/** The native compiler cannot be downloaded everywhere; the npm package of the same compiler can. */
const compiler = {
  version: '0.8.28',
  path: join(import.meta.dirname, 'scripts/tooling/soljson.cjs'),
  settings: { evmVersion: 'cancun', viaIR: true, optimizer: { enabled: true, runs: 10_000 } },
};

/**
 * Tests deploy the contracts by their artifacts (TestBase.create), compiled as above. They themselves need no optimising,
 * and by the direct way of the compiler take seconds instead of minutes.
 */
const testFiles = globSync('test/contracts/**/*.sol', { cwd: import.meta.dirname });
const testCompiler = {
  ...compiler,
  settings: { ...compiler.settings, viaIR: false, optimizer: { enabled: false } },
};

export default defineConfig({
  plugins: [toolbox],
  solidity: {
    compilers: [compiler],
    overrides: Object.fromEntries(testFiles.map((file) => [file, testCompiler])),
    // OpenZeppelin's own, deployed as it is.
    npmFilesToBuild: ['@openzeppelin/contracts/governance/TimelockController.sol'],
  },
  paths: {
    tests: { mocha: 'test/contracts', solidity: 'test/contracts' },
    ...(buildFolder && { artifacts: join(buildFolder, 'artifacts'), cache: join(buildFolder, 'cache') }),
  },
  networks: {
    l2: {
      type: 'edr-simulated',
      chainType: 'op',
      chainId,
      // Else each of many quick transactions would move the chain's time a second ahead of the relay's clock.
      allowBlocksWithSameTimestamp: true,
      // A demo may begin in the past, so that days can go by on the chain and its time meet the clock's again.
      ...(chainStart === undefined ? {} : { initialDate: chainStart }),
    },
  },
  test: {
    solidity: {
      fsPermissions: { readFile: ['protocol/vectors/vectors.json', 'contracts/mocks/permit2.json'] },
      // A fixed seed keeps gas snapshots comparable.
      fuzz: { runs: 256, seed: '0x6175746f706179' },
      invariant: { runs: 8, depth: 500, failOnRevert: true },
    },
  },
});
