import { expect, test } from 'vitest';
import { plainDeployment, type DeploymentTerms } from '../call/routing-terms.ts';
import type { Deployment } from '../call/types.ts';
import { matchTags, meetNeeds } from './meet-needs.ts';

const deployment = (name: string, terms: Partial<DeploymentTerms> = {}): Deployment => ({
  ...{ id: `p@${name}`, provider: 'p', model: 'm', terms: { ...plainDeployment, ...terms } },
});
const names = (deployments: readonly Deployment[]) => deployments.map(({ id }) => id.slice(2)).join('');

test('only what has everything that is needed is left', () => {
  const all = [
    deployment('a', { tools: false }),
    deployment('b', { vision: false, region: 'eu' }),
    deployment('c', { region: 'eu', evidenceTier: 'tee-attested' }),
  ];
  expect(names(meetNeeds(all, {}))).toBe('abc');
  expect(names(meetNeeds(all, { tools: true }))).toBe('bc');
  expect(names(meetNeeds(all, { vision: true }))).toBe('ac');
  expect(names(meetNeeds(all, { region: 'eu' }))).toBe('bc');
  expect(names(meetNeeds(all, { evidenceTier: 'provider-signed' }))).toBe('c');
  expect(names(meetNeeds(all, { evidenceTier: 'proof-checked' }))).toBe('');
  expect(names(meetNeeds([{ id: 'p@x', provider: 'p', model: 'm' }], { tools: true, vision: true }))).toBe('x');
});

test('tags choose as in LiteLLM', () => {
  const all = [deployment('a', { tags: ['free'] }), deployment('b', { tags: ['paid', 'default'] }), deployment('c')];
  expect(names(matchTags(all, ['free']))).toBe('a');
  expect(names(matchTags(all, ['paid', 'free']))).toBe('ab');
  expect(names(matchTags(all, []))).toBe('bc');
  expect(names(matchTags(all, ['unknown']))).toBe('bc');
  expect(names(matchTags([deployment('x')], ['free']))).toBe('x');
});
