import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import config from '../../hardhat.config.ts';
import { root } from '../tooling/run-command.ts';
import { SOLC_VERSION, type CompiledContract } from './compile-contracts.ts';

/** Fewer random runs than `npm test` has: 1,800 mutants are to be judged, and each is seen from many sides. */
const FUZZ_RUNS = 64;
const INVARIANT_RUNS = 1;

/** A mutant that loops for ever runs out of it in seconds; the largest test needs a third. */
const GAS_LIMIT = 1_000_000_000n;

/** The result of a suite is reported by a callback, at most this long after the run. */
const REPORT_TIMEOUT_MS = 10_000;

interface ArtifactId {
  name: string;
  solcVersion: string;
  source: string;
}

interface SuiteResult {
  id: ArtifactId;
  testResults: { name: string; status: string; reason?: string }[];
}

/** The part of Hardhat's EVM (EDR) that runs Solidity tests. */
interface Edr {
  EdrContext: new () => EdrContext;
  L1_CHAIN_TYPE: string;
  FsAccessPermission: { ReadFile: number };
  l1SolidityTestRunnerFactory(): unknown;
  l1HardforkLatest(): unknown;
  l1HardforkToString(hardfork: unknown): string;
  l1GenesisState(hardfork: unknown): unknown;
}

interface EdrContext {
  registerSolidityTestRunnerFactory(chainType: string, factory: unknown): Promise<void>;
  runSolidityTests(
    chainType: string,
    artifacts: readonly object[],
    suites: readonly ArtifactId[],
    config: object,
    tracing: object,
    onSuite: (result: SuiteResult) => void,
  ): Promise<unknown>;
}

/** Runs the suites (contracts with tests) of one file and answers the first test that fails, if any does. */
export type RunSuites = (
  suites: readonly CompiledContract[],
  contracts: readonly CompiledContract[],
) => Promise<string | undefined>;

/** Hardhat's own EVM, in this process and without Hardhat, whose start takes longer than most of the tests. */
export async function createTestRunner(): Promise<RunSuites> {
  const edr = loadEdr();
  const context = new edr.EdrContext();
  await context.registerSolidityTestRunnerFactory(edr.L1_CHAIN_TYPE, edr.l1SolidityTestRunnerFactory());
  const runConfig = configOf(edr);
  return async (suites, contracts) => {
    const results: SuiteResult[] = [];
    const { promise: reported, resolve } = Promise.withResolvers<void>();
    await context.runSolidityTests(
      edr.L1_CHAIN_TYPE,
      contracts.map(toArtifact),
      suites.map(idOf),
      runConfig,
      {},
      (result) => {
        results.push(result);
        if (results.length === suites.length) resolve();
      },
    );
    await Promise.race([reported, delay(REPORT_TIMEOUT_MS, undefined, { ref: false })]);
    if (results.length < suites.length) throw new Error(`only ${results.length} of ${suites.length} suites reported`);
    const tests = results.flatMap(({ id, testResults }) =>
      testResults.map((test) => ({ suite: id.name, ...pick(test) })),
    );
    if (tests.length === 0) throw new Error(`no tests in ${suites.map(({ name }) => name).join(', ')}`);
    const failed = tests.find(({ status }) => status === 'Failure');
    return failed && `${failed.suite}.${failed.name}: ${stripVTControlCharacters(failed.reason ?? '')}`;
  };
}

/** Whether a contract is a suite of tests. */
export function isSuite({ bytecode, abi }: CompiledContract): boolean {
  return bytecode !== '0x' && abi.some(({ type, name }) => type === 'function' && /^(test|invariant)/.test(name ?? ''));
}

/** EDR is a part of Hardhat and comes with it. */
function loadEdr(): Edr {
  const require = createRequire(import.meta.url);
  return createRequire(require.resolve('hardhat/package.json'))('@nomicfoundation/edr') as Edr;
}

/** What `hardhat test solidity` gives EDR for hardhat.config.ts. */
function configOf(edr: Edr): object {
  const { fsPermissions, fuzz, invariant } = config.test?.solidity as {
    fsPermissions: { readFile: string[] };
    fuzz: object;
    invariant: object;
  };
  const hardfork = edr.l1HardforkLatest();
  return {
    projectRoot: root,
    hardfork: edr.l1HardforkToString(hardfork),
    localPredeploys: edr.l1GenesisState(hardfork),
    fsPermissions: fsPermissions.readFile.map((path) => ({ access: edr.FsAccessPermission.ReadFile, path })),
    gasLimit: GAS_LIMIT,
    disableBlockGasLimit: true,
    disableTransactionGasCap: true,
    fuzz: { ...fuzz, runs: FUZZ_RUNS },
    // That a run fails is enough; its shortest form is not needed.
    invariant: { ...invariant, runs: INVARIANT_RUNS, shrinkRunLimit: 0 },
  };
}

function idOf({ source, name }: CompiledContract): ArtifactId {
  return { source, name, solcVersion: SOLC_VERSION };
}

function toArtifact(contract: CompiledContract): object {
  const { abi, bytecode, deployedBytecode } = contract;
  return {
    id: idOf(contract),
    contract: { abi: JSON.stringify(abi), bytecode, deployedBytecode, linkReferences: {}, deployedLinkReferences: {} },
  };
}

/** The members of EDR's results are getters, which spreading would lose. */
function pick({ name, status, reason }: SuiteResult['testResults'][number]): SuiteResult['testResults'][number] {
  return { name, status, ...(reason === undefined ? {} : { reason }) };
}
