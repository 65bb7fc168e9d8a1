/** Asynchronous work, one piece after the other in the order it was asked for, whether what came before it went well or not. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins the work when all that was asked for before has ended, and ends as it does. */
  run<T>(work: () => Promise<T> | T): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when nothing is under way, what is asked for meanwhile included. What failed was told to who asked for it. */
  async idle(): Promise<void> {
    for (let last: Promise<unknown> | undefined; last !== this.#last; ) {
      last = this.#last;
      await last;
    }
  }
}
