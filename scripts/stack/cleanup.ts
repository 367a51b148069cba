/**
 * Remembers how to undo what has been started, and undoes it in reverse order, once.
 * What is added after that is undone at once: a start that was interrupted leaves nothing behind.
 */
export class Cleanup {
  readonly #steps: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  /** Adds a step, which must not fail. */
  async add(step: () => Promise<void>): Promise<void> {
    if (this.#running === undefined) this.#steps.push(step);
    else await step();
  }

  /** Undoes everything; further calls wait for the first. */
  run(): Promise<void> {
    this.#running ??= this.#undo();
    return this.#running;
  }

  async #undo(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}
