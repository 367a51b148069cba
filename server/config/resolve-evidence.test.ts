import { expect, test } from 'vitest';
import { parseConfig } from './load-config.ts';

const address = (digit: string) => `0x${digit.repeat(40)}`;
const names = [
  ...['paymentChannels', 'autoPayLLM', 'auditLog', 'modelBudgets', 'priceBook', 'priceOracle', 'keyRegistry'],
  ...['paymentDesk', 'billingDisputes', 'agpt', 'governor', 'timelock'],
];

/** A route `a` at the provider `p`, with these lines of YAML. */
function read(
  evidence: string,
  deployment = '',
  { demand = '', more = [] }: { demand?: string; more?: string[] } = {},
) {
  const text = [
    'chain: { id: 31337, rpcUrl: http://127.0.0.1:8545/, deployedAtBlock: 1 }',
    `contracts: { ${names.map((name) => `${name}: ${address('3')}`).join(', ')} }`,
    `tokens: [{ symbol: USDC, address: ${address('4')}, decimals: 6 }]`,
    `providers: [{ name: p, baseUrl: http://127.0.0.1:4010/v1${evidence && `, evidence: { ${evidence} }`} }]`,
    'routes:',
    `  - { model: a, price: { prompt: "1", completion: "2" }, ${demand}deployments: [{ provider: p, model: m${deployment} }] }`,
    ...more.map((route) => `  - ${route}`),
  ];
  const config = parseConfig(text.join('\n'), 'autopay.yaml');
  return { tier: config.routes[0]?.deployments[0]?.terms.evidenceTier, evidence: config.evidence };
}

const key = `"0x${'aB'.repeat(20)}"`;

test('a deployment can show what the evidence of its provider can, unless it says less', () => {
  expect(read('')).toEqual({ tier: 'relay-signed', evidence: [] });
  expect(read(`kind: signature, keys: [${key}]`)).toMatchObject({
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

const signing = `kind: signature, keys: [${key}]`;
const demanding = (tier: string) => ({ demand: `minimumEvidenceTier: ${tier}, ` });

test.each([
  ['a tier that its deployments can show', signing, '', demanding('provider-signed')],
  [
    'what a better tier shows too',
    `kind: tee, measurements: [{ mrTd: ${'a'.repeat(96)} }]`,
    '',
    demanding('provider-signed'),
  ],
  ['the relay’s word', '', '', demanding('relay-signed')],
  ['of others what they can show', signing, '', { more: ['{ model: any, auto: { evidenceTier: provider-signed } }'] }],
])('a route may demand %s', (_, evidence, deployment, parts) => {
  expect(() => read(evidence, deployment, parts)).not.toThrow();
});

test.each([
  ['where its providers give none', '', '', demanding('tee-attested'), 'routes.0.minimumEvidenceTier is tee-attested'],
  ['where they give another kind', 'kind: verathos', '', demanding('provider-signed'), 'no deployment of "a" can show'],
  ['that no relay shows', signing, '', demanding('proof-checked'), 'they show provider-signed'],
  [
    'where the deployment says that it shows less',
    signing,
    ', evidenceTier: relay-signed',
    demanding('provider-signed'),
    'they show relay-signed',
  ],
  [
    'of others that cannot show it',
    signing,
    '',
    { more: ['{ model: any, auto: { evidenceTier: tee-attested } }'] },
    'routes.1.auto.evidenceTier is tee-attested, which no deployment that it stands for can show',
  ],
  [
    'of some of them, which are free',
    signing,
    '',
    {
      more: [
        '{ model: free, free: true, deployments: [{ provider: p, model: m, evidenceTier: relay-signed }] }',
        '{ model: any, minimumEvidenceTier: provider-signed, auto: { among: [free] } }',
      ],
    },
    'routes.2.minimumEvidenceTier is provider-signed, which no deployment that it stands for can show',
  ],
])('a route may not demand evidence %s', (_, evidence, deployment, parts, message) => {
  expect(() => read(evidence, deployment, parts)).toThrow(message);
});
