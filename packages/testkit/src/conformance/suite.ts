/** One promise of a port, and the program that proves it or throws. */
export interface ConformanceCase {
  /** Short and stable, e.g. `tamper.flip`: to refer to in reports and in other tests. */
  readonly id: string;
  /** The promise, as a sentence. */
  readonly title: string;
  /** Resolves when the promise is kept, rejects with an `AssertionError` when it is not. */
  readonly run: () => Promise<void>;
}

/** The cases that apply to one implementation, and what they could not look at. */
export interface ConformanceSuite {
  /** In no particular order; each makes and removes its own state. */
  readonly cases: readonly ConformanceCase[];
  /** One sentence for everything that was not declared and so is not proven. */
  readonly notProven: readonly string[];
}

/** A case before it knows what it runs on. */
export interface PlannedCase<Subject> {
  readonly id: string;
  readonly title: string;
  readonly run: (subject: Subject) => Promise<void>;
}

/** How one case gets what it runs on, and how that is removed. */
export interface Stage<Subject> {
  readonly setUp: () => Subject | Promise<Subject>;
  readonly tearDown: (subject: Subject) => unknown;
}

/** Gives every planned case a stage of its own. */
export function staged<Subject>(planned: readonly PlannedCase<Subject>[], stage: Stage<Subject>): ConformanceCase[] {
  return planned.map(({ id, title, run }) => ({
    id,
    title,
    run: async () => {
      const subject = await stage.setUp();
      try {
        await run(subject);
      } finally {
        await stage.tearDown(subject);
      }
    },
  }));
}
