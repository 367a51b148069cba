/**
 * The import borders of the project: arrows point inwards only (http → payments, routing, audit, … → call, ledger →
 * protocol). scripts/check-borders.test.ts shows for each rule that it bites. Type imports count: a border that types
 * may cross is no border.
 */

const test = '\\.test\\.ts$';
const nodeIo =
  '^(node:)?(fs|fs/promises|net|tls|http|http2|https|dgram|dns|child_process|worker_threads|cluster|sqlite|readline)$';
/** Matches an npm package wherever node_modules lies. */
const npm = (names) => `node_modules/(${names.join('|')})/`;

/** @param {string} name @param {string} comment @param {object} from @param {object} to */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid(
      'protocol-stands-alone',
      'protocol/ is what all others agree on; it depends on none of them.',
      { path: '^protocol/', pathNot: test },
      { path: '^(server|client|cli|fsck|witness|simulator|dashboard|scripts|test|contracts|ignition)/' },
    ),
    forbid('protocol-no-io', 'protocol/ does no I/O.', { path: '^protocol/', pathNot: test }, { path: nodeIo }),
    forbid(
      'core-no-infrastructure',
      'call/, metering/ and protocol/ know no web framework, no RPC client and no database.',
      { path: '^(protocol|server/call|server/metering)/', pathNot: test },
      {
        path: `${npm(['express', 'undici', 'viem', 'ethers', 'hardhat', 'pg', 'kysely'])}|^(node:)?(http|https|sqlite)$`,
      },
    ),
    forbid(
      'core-points-inwards',
      'call/, ledger/ and metering/ are the middle of the server; they import only each other and protocol/.',
      { path: '^server/(call|ledger|metering)/', pathNot: test },
      { path: '^server/', pathNot: '^server/(call|ledger|metering)/' },
    ),
    forbid(
      'ledger-and-metering-know-no-call',
      'Books and meters serve the life of a call; they do not know it.',
      { path: '^server/(ledger|metering)/', pathNot: test },
      { path: '^server/call/' },
    ),
    forbid(
      'call-knows-the-ledger-by-its-port',
      'call/ sees the ledger as an interface; which engine keeps the books is decided outside.',
      { path: '^server/(call|metering)/', pathNot: test },
      { path: '^server/ledger/', pathNot: '^server/ledger/(channel-)?ledger\\.ts$' },
    ),
    forbid(
      'only-composition-sees-http',
      'http/ is the outermost ring of the server; only what composes the relay imports it.',
      { path: '^server/[^/]+/', pathNot: ['^server/http/', test] },
      { path: '^server/(http/|app\\.ts|main\\.ts|start-relay\\.ts)' },
    ),
    forbid(
      'server-not-to-client',
      'The relay never runs wallet code.',
      { path: '^server/', pathNot: test },
      { path: '^(client|cli|fsck|witness)/' },
    ),
    forbid(
      'client-not-to-server',
      'A wallet never runs relay code.',
      { path: '^client/', pathNot: test },
      { path: '^(server|cli|fsck|witness)/' },
    ),
    forbid(
      'fsck-only-protocol',
      'The checker is independent: of ours it imports protocol/ and nothing else.',
      { path: '^fsck/', pathNot: test },
      { path: '^(server|client|cli|witness|simulator|dashboard|scripts|test)/' },
    ),
    forbid(
      'witness-only-protocol',
      'A witness is independent of the logs that it watches: of ours it imports protocol/ and nothing else.',
      { path: '^witness/', pathNot: test },
      { path: '^(server|client|cli|fsck|simulator|dashboard|scripts|test)/' },
    ),
    forbid(
      'simulator-stands-alone',
      'The simulated provider is a stranger to the system, as any provider is.',
      { path: '^simulator/', pathNot: test },
      { path: '^(protocol|server|client|cli|fsck|witness|dashboard|scripts|test)/' },
    ),
    forbid(
      'product-not-to-tooling',
      'What ships does not import scripts and tests (the CLI finds its Node by scripts/resolve-node.js).',
      { path: '^(server|client|cli|fsck|witness)/', pathNot: test },
      { path: '^(scripts|test)/', pathNot: '^scripts/resolve-node\\.js$' },
    ),
    forbid(
      'nothing-imports-the-cli',
      'The command line is the outermost ring; nothing builds on it.',
      { path: '^(?!cli/|test/)', pathNot: test },
      { path: '^cli/' },
    ),
    forbid(
      'cli-loads-lazily',
      'Help and small commands stay quick: the relay is loaded by the command that needs it.',
      { path: '^cli/', pathNot: test },
      { path: '^server/', dynamic: false },
    ),
    forbid(
      'bootstrap-without-dependencies',
      'These run before anything is installed, on whatever Node is there.',
      { path: '^(scripts/(run|resolve-node|ensure-installed)\\.js|cli/autopay\\.js)$' },
      { pathNot: '^scripts/(resolve-node|ensure-installed)\\.js$', dependencyTypesNot: ['core'] },
    ),
    forbid('no-tests-in-sources', 'Only tests import tests.', { pathNot: `${test}|^test/` }, { path: test }),
    forbid(
      'no-development-dependencies',
      'What ships needs only what `dependencies` lists.',
      { path: '^(protocol|server|client|cli|fsck|witness|simulator)/', pathNot: test },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'no-cycles',
      'A circle of imports has no inside.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid('resolvable', 'Each import leads somewhere.', {}, { couldNotResolve: true }),
  ],
  options: {
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    doNotFollow: { path: 'node_modules' },
    // node_modules must not be excluded: the rules about packages would see none, and could not fail.
    exclude: { path: '^(artifacts|cache|types)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
