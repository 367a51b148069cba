import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCheckpoint } from '../protocol/log/checkpoint.ts';
import { createRelaySigner } from '../protocol/log/relay-signature.ts';
import { createCosigner, createNoteSigner, signNote, type NoteSigner } from '../protocol/log/signed-note.ts';
import { parseTilePath, tileWidth, type Tile } from '../protocol/log/tile-path.ts';
import { consistencyProof } from '../protocol/merkle/consistency.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot } from '../protocol/merkle/inclusion.ts';
import { createWitness, type Witness, type WitnessedLog } from './create-witness.ts';
import { createEvidenceFolder, type ForkEvidence } from './keep-evidence.ts';
import { openWitnessState, type WitnessState } from './witness-state.ts';

/** The relay that the tests' log is of. */
export const relayScope = { chainId: 31_337, verifyingContract: `0x${'a7'.repeat(20)}` } as const;

/** For tests: a log whose entries, and lies, the test chooses. */
export class TestLog {
  readonly origin = `eip155/${relayScope.chainId}/${relayScope.verifyingContract}`;
  readonly receiptKey = Buffer.alloc(32, 0x22);
  readonly signer: NoteSigner;
  /** Unix milliseconds at which checkpoints are signed. */
  nowMs = 1_700_000_000_000;
  leaves: Uint8Array[] = [];

  constructor({ seed = 1, leaves = [] }: { seed?: number; leaves?: readonly Uint8Array[] } = {}) {
    this.signer = createNoteSigner({ name: this.origin, seed: Buffer.alloc(32, seed) });
    this.leaves = [...leaves];
  }

  /** Appends entries that say `word` and their position. */
  grow(count: number, word = 'entry'): this {
    for (let added = 0; added < count; added += 1) {
      this.leaves.push(hashLeaf(Buffer.from(`${word} ${this.leaves.length}`)));
    }
    return this;
  }

  /** The signed note of the first `size` entries. */
  checkpoint({ size = this.leaves.length, isRelaySigned = false } = {}): string {
    const text = formatCheckpoint({ origin: this.origin, size, root: merkleRoot(this.leaves.slice(0, size)) });
    const relay = () =>
      createRelaySigner({ name: this.origin, scope: relayScope, receiptKey: this.receiptKey, nowMs: () => this.nowMs });
    return signNote(text, isRelaySigned ? [this.signer, relay()] : [this.signer]);
  }

  proof(olderSize: number, newerSize = this.leaves.length): Uint8Array[] {
    const subtreeRoot = (start: number, end: number) => merkleRoot(this.leaves.slice(start, end));
    return consistencyProof({ olderSize, newerSize, subtreeRoot });
  }

  tile({ level, index, width }: Tile): Uint8Array {
    const leaves = tileWidth ** level;
    return Buffer.concat(
      Array.from({ length: width }, (_, at) => {
        const start = (index * tileWidth + at) * leaves;
        return merkleRoot(this.leaves.slice(start, start + leaves));
      }),
    );
  }

  /** Serves checkpoint, key and tiles; `answers` can lie on a path. */
  async serve(answers: Map<string, string | Uint8Array> = new Map()): Promise<{ url: string; close(): Promise<void> }> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '').slice('/log/'.length);
      const tile = parseTilePath(path);
      const honest =
        path === 'checkpoint'
          ? this.checkpoint({ isRelaySigned: true })
          : path === 'key'
            ? `${this.signer.verifierKey}\n`
            : tile && this.tile(tile);
      const body = answers.get(path) ?? honest;
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/log`,
      async close() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  }
}

/** A witness in a folder of its own, and what it says. */
export interface TestWitness {
  witness: Witness;
  state: WitnessState;
  folder: string;
  cosigner: NoteSigner;
  /** Messages that were logged, with their level. */
  told: string[];
  /** The evidence on disk. */
  evidence(): ForkEvidence[];
  /** A witness on the same folder, as after a restart. */
  restart(): TestWitness;
  close(): void;
}

/** For tests: opens a witness of these logs. */
export function openTestWitness(
  logs: readonly WitnessedLog[],
  options: { folder?: string; wrapState?: (state: WitnessState) => WitnessState } = {},
): TestWitness {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'autopay-witness-'));
  const state = (options.wrapState ?? ((plain) => plain))(openWitnessState(folder));
  const cosigner = createCosigner({ name: 'witness.example/w1', seed: Buffer.alloc(32, 0x77) });
  const told: string[] = [];
  const tell = (level: string) => (_facts: object, message: string) => void told.push(`${level}: ${message}`);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') };
  const files = join(folder, 'evidence');
  const witness = createWitness({ cosigner, logs, state, evidence: createEvidenceFolder(files), log });
  const names = () => {
    try {
      return readdirSync(files);
    } catch {
      return [];
    }
  };
  return {
    ...{ witness, state, folder, cosigner, told },
    evidence: () => names().map((name) => JSON.parse(readFileSync(join(files, name), 'utf8')) as ForkEvidence),
    restart() {
      state.close();
      return openTestWitness(logs, { folder });
    },
    close() {
      state.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
