import { expect, test } from 'vitest';
import { parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(40)}`;
const names = [
  ...['paymentChannels', 'autoPayLLM', 'auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry'],
  ...['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'],
];

/** A route `a` at the provider `p`, with these lines of YAML. */
function read(evidence: string, deployment = '') {
  const text = [
    'chain: { id: 31337, rpcUrl: http://127.0.0.1:8545/, deployedAtBlock: 1 }',
    `contracts: { ${names.map((name) => `${name}: ${address('3')}`).join(', ')} }`,
    `tokens: [{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`,
    `providers: [{ name: p, baseUrl: http://127.0.0.1:4010/v1${evidence && `, evidence: { ${evidence} }`} }]`,
    'routes:',
    `  - { model: a, price: { prompt: "1", completion: "2" }, deployments: [{ provider: p, model: m${deployment} }] }`,
  ];
  const config = parseConfig(text.join('\n'), 'autopay.yaml');
  return { tier: config.routes[0]?.deployments[0]?.terms.evidenceTier, evidence: config.evidence };
}

const key = `"0x${'aB'.repeat(20)}"`;

test('a deployment can show what the evidence of its provider can, unless it says less', () => {
  expect(read('')).toEqual({ tier: 'relay-signed', evidence: [] });
  const signing = read(`kind: signature, keys: [${key}]`);
  expect(signing).toMatchObject({
    tier: 'provider-signed',
    evidence: [{ provider: 'p', kind: 'signature', timeoutMs: 3_000, keys: [key.slice(1, -1).toLowerCase()] }],
  });
  const tee = read(`kind: tee, measurements: [{ mrTd: ${'A'.repeat(96)} }]`);
  expect(tee).toMatchObject({
    tier: 'tee-attested',
    evidence: [{ measurements: [{ mrTd: 'a'.repeat(96) }], tcbStatuses: ['UpToDate'], attestationMinutes: 60 }],
  });
  expect(read('kind: verathos').tier).toBe('commitment-checked');
  expect(read('kind: verathos', ', evidenceTier: relay-signed').tier).toBe('relay-signed');
});

test.each([
  [
    'a tier that nothing can show',
    '',
    ', evidenceTier: tee-attested',
    'evidenceTier is more than the evidence of "p" can show',
  ],
  ['a tier of another kind', 'kind: verathos', ', evidenceTier: provider-signed', 'is more than'],
  ['no key', 'kind: signature, keys: []', '', 'evidence.keys'],
  ['what is no key', 'kind: signature, keys: [abc]', '', 'must be an address'],
  ['no measurement', 'kind: tee, measurements: []', '', 'evidence.measurements'],
  [
    'a measurement that names no code',
    `kind: tee, measurements: [{ rtMr3: ${'a'.repeat(96)} }]`,
    '',
    'must name mrTd or mrEnclave',
  ],
])('%s is refused', (_, evidence, deployment, message) => {
  expect(() => read(evidence, deployment)).toThrow(message);
});
