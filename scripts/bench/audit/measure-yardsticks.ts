import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { MerkleTree } from 'merkletreejs';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { sha256 } from '../../../protocol/merkle/hashes.ts';
import { figure, type Figure } from '../report.ts';
import { cpuSeconds, secondsSince } from './cpu-seconds.ts';
import { hashEntries } from './synthetic-log.ts';

/** They hold every node in memory and build a tree as a whole: none can append, none proves consistency. */
const proofs = 500;

/** The same leaf hashes in the two libraries that most projects take for Merkle trees; ours hashes with SHA-256, OpenZeppelin's with Keccak-256. */
export function measureYardsticks(count: number): Figure[] {
  const { hashes } = hashEntries(count);
  const leaves = Array.from({ length: count }, (_, at) => hashes.subarray(32 * at, 32 * at + 32));
  const places = Array.from({ length: proofs }, (_, at) => Math.floor((count * at) / proofs));
  return [...measureOpenZeppelin(leaves.map(toHex), places), ...measureMerkletreejs(leaves, places)];
}

function measureOpenZeppelin(leaves: readonly string[], places: readonly number[]): Figure[] {
  const before = process.cpuUsage();
  const tree = SimpleMerkleTree.of([...leaves]);
  const build = secondsSince(before);
  const paths: string[][] = [];
  const prove = cpuSeconds(() => places.forEach((place) => paths.push(tree.getProof(place))));
  let wrong = 0;
  const verify = cpuSeconds(() => {
    places.forEach((place, at) => {
      if (!SimpleMerkleTree.verify(tree.root, leaves[place] ?? '', paths[at] ?? [])) wrong += 1;
    });
  });
  return describe('@openzeppelin/merkle-tree', leaves.length, { build, prove, verify, wrong });
}

function measureMerkletreejs(leaves: Buffer[], places: readonly number[]): Figure[] {
  const hash = (data: Buffer) => sha256(data);
  const before = process.cpuUsage();
  const tree = new MerkleTree(leaves, hash);
  const build = secondsSince(before);
  const root = tree.getRoot();
  const paths: ReturnType<typeof tree.getProof>[] = [];
  const leafAt = (place: number) => leaves[place] ?? Buffer.alloc(0);
  const prove = cpuSeconds(() => places.forEach((place) => paths.push(tree.getProof(leafAt(place), place))));
  let wrong = 0;
  const verify = cpuSeconds(() => {
    places.forEach((place, at) => {
      if (!tree.verify(paths[at] ?? [], leafAt(place), root)) wrong += 1;
    });
  });
  return describe('merkletreejs', leaves.length, { build, prove, verify, wrong });
}

function describe(
  library: string,
  count: number,
  { build, prove, verify, wrong }: { build: number; prove: number; verify: number; wrong: number },
): Figure[] {
  const name = (what: string) => `${library}, ${count.toLocaleString('en')} leaves: ${what}`;
  return [
    figure(name('built'), count / build, 'leaves/s'),
    figure(name('proofs'), proofs / prove, 'proofs/s'),
    figure(name('proofs verified'), proofs / verify, 'proofs/s'),
    figure(name('proofs that do not verify'), wrong, 'proofs', { atMost: 0 }),
  ];
}
