import type { ChainFile, WrittenFile } from './config-schema.ts';
import { requireUnique, type ConfigIssue, type ConfigPath } from './report-issues.ts';

/** A chain of the file, and where it stands there. */
export interface ListedChain extends ChainFile {
  /** `['chains', 1]`, or nothing in the short form. */
  path: ConfigPath;
}

/**
 * The chains of a file, the home chain first, whichever form it has: `chains`, or the short form `chain`, `contracts` and `tokens`.
 * What is wrong is pushed to `issues`; the result may be used only if there is nothing.
 */
export function listChains(file: WrittenFile, issues: ConfigIssue[]): ListedChain[] {
  const { chain, chains, contracts, tokens } = file;
  if (chains === undefined) {
    if (chain === undefined)
      issues.push({ path: ['chain'], message: 'is missing; say where the money is, here or in chains' });
    if (tokens === undefined) issues.push({ path: ['tokens'], message: 'is missing; say what calls are paid in' });
    return chain && tokens ? [{ chain, contracts, tokens, path: [] }] : [];
  }
  for (const key of ['chain', 'contracts', 'tokens'] as const) {
    if (file[key] === undefined) continue;
    issues.push({ path: [key], message: 'is the short form of a single chain; move it into its chain of chains' });
  }
  requireUnique(
    chains.map(({ id }) => String(id)),
    (index) => ({ path: ['chains', index, 'id'], message: 'is the id of another chain already' }),
    issues,
  );
  const homes = chains.filter(({ home }) => home).length;
  if (homes > 1)
    issues.push({ path: ['chains'], message: 'has several with home: true; budgets and the log have one home' });
  if (homes === 0 && chains.length > 1) {
    issues.push({ path: ['chains'], message: 'needs home: true at the chain whose votes set the budgets' });
  }
  return chains
    .map(({ contracts: own, tokens: taken, home, ...rest }, index) => ({
      isHome: home,
      listed: { chain: rest, contracts: own, tokens: taken, path: ['chains', index] },
    }))
    .toSorted((one, other) => Number(other.isHome) - Number(one.isHome))
    .map(({ listed }) => listed);
}
