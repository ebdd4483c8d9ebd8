import { throwIfAborted, type ObjectCallOptions, type PreparedPut, type PutCondition } from '@keyfold/core/provider';
import type { FileSystemContext } from './context.ts';
import { discard, type Staged } from './durable-write.ts';
import type { Location } from './paths.ts';
import { publish } from './publish.ts';
import { syncDirectory } from './sync-directory.ts';

/** An object that is durable under a temporary name. */
export class PreparedFile implements PreparedPut {
  readonly #context: FileSystemContext;
  readonly #location: Location;
  readonly #staged: Staged;
  readonly #options: PutCondition & ObjectCallOptions;

  constructor(context: FileSystemContext, location: Location, staged: Staged, options: PutCondition & ObjectCallOptions) {
    this.#context = context;
    this.#location = location;
    this.#staged = staged;
    this.#options = options;
  }

  async publish(): Promise<{ readonly size: number }> {
    try {
      throwIfAborted(this.#options.signal);
      await publish(this.#context, this.#location, this.#staged, this.#options);
    } finally {
      discard(this.#staged.path);
    }
    await this.#context.step('unstaged');
    await syncDirectory(this.#location.directory);
    await this.#context.step('directory:synced');
    return { size: this.#staged.size };
  }

  discard(): Promise<void> {
    discard(this.#staged.path);
    return Promise.resolve();
  }
}
