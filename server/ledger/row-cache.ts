/** The most rows that a cache keeps; beyond it, the one that was kept first leaves. */
const maxRows = 4_096;

/**
 * Rows of one table, as the open transaction has them. They may be trusted because one connection alone writes the file, and what is
 * cached is written through the cache.
 */
export class RowCache<Row extends object> {
  readonly #caches: Pick<RowCaches, 'isDeferring'>;
  readonly #write: (row: Row) => void;
  readonly #rows = new Map<string, Row>();
  readonly #changed = new Map<string, Row>();

  /** @param write puts a row into its table */
  constructor(caches: Pick<RowCaches, 'isDeferring'>, write: (row: Row) => void) {
    this.#caches = caches;
    this.#write = write;
  }

  /** The row of a key; one that is not known yet is read. Rows MUST NOT be changed in place. */
  get(key: string, read: () => Row | undefined): Row | undefined {
    const known = this.#changed.get(key) ?? this.#rows.get(key);
    if (known !== undefined) return known;
    const row = read();
    if (row !== undefined) this.#keep(key, row);
    return row;
  }

  /** Writes a row: at once, or when the group is flushed. */
  put(key: string, row: Row): void {
    if (this.#caches.isDeferring) {
      this.#changed.set(key, row);
      return;
    }
    this.#write(row);
    this.#keep(key, row);
  }

  /** Writes what was deferred. */
  flush(): void {
    if (this.#changed.size === 0) return;
    for (const [key, row] of this.#changed) {
      this.#write(row);
      this.#keep(key, row);
    }
    this.#changed.clear();
  }

  /** Forgets everything, written or not. */
  clear(): void {
    this.#rows.clear();
    this.#changed.clear();
  }

  #keep(key: string, row: Row): void {
    this.#rows.set(key, row);
    if (this.#rows.size <= maxRows) return;
    const [first] = this.#rows.keys();
    if (first !== undefined) this.#rows.delete(first);
  }
}

/**
 * The caches of one connection. The sums that each call changes, of channels, scopes and budgets, are few rows: a group writes each of
 * them once, however many of its calls have changed it.
 */
export class RowCaches {
  readonly #caches: { flush: () => void; clear: () => void }[] = [];
  #isDeferring = false;

  /** Whether rows are written by `flush`, not at once. */
  get isDeferring(): boolean {
    return this.#isDeferring;
  }

  /** A cache of one table. */
  create<Row extends object>(write: (row: Row) => void): RowCache<Row> {
    const cache = new RowCache<Row>(this, write);
    this.#caches.push(cache);
    return cache;
  }

  /** Has something forgotten besides rows, whatever was rolled back. */
  onRollback(clear: () => void): void {
    this.#caches.push({ flush: () => undefined, clear });
  }

  /** Runs what reads and writes the cached tables by their caches only: its rows are written by the next `flush`. */
  defer<T>(run: () => T): T {
    this.#isDeferring = true;
    try {
      return run();
    } finally {
      this.#isDeferring = false;
    }
  }

  /** Writes what was deferred. MUST be called before COMMIT, and before SQL that reads what is cached. */
  flush(): void {
    for (const cache of this.#caches) cache.flush();
  }

  /** MUST be called when anything was rolled back. */
  clear(): void {
    for (const cache of this.#caches) cache.clear();
  }
}
