import { KeyfoldError, isKeyfoldError, type KeyVersion, type KmsCallOptions, type KmsHealth, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { MEMORY_FAULTS, type MemorySubject } from '../support/memory-options.ts';
import { ERROR_CASES, broken, declared, type Mutant } from './mutant.ts';

type Signalled = Parameters<MemoryKms['rotateKey']>[0];

function aborted(): KeyfoldError {
  return new KeyfoldError('ABORTED', 'The operation was aborted by its AbortSignal.');
}

/** Asks the service and only then looks whether anybody still wants to know. */
class AsksForTheAborted extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    if (options.signal?.aborted === true) {
      await this.currentKeyVersion();
      throw aborted();
    }
    return super.decrypt(wrapped, options);
  }
}

class IgnoresAborts extends MemoryKms {
  override rotateKey(): Promise<KeyVersion> {
    return super.rotateKey();
  }
}

/** Tests whatever the caller says. */
class TestsForTheAborted extends MemoryKms {
  override testConnection(): Promise<KmsHealth> {
    return super.testConnection();
  }
}

/** Takes a signal for an abort. */
class TakesSignalsForAborts extends MemoryKms {
  override async testConnection(options?: Signalled): Promise<KmsHealth> {
    if (options?.signal !== undefined) throw aborted();
    return super.testConnection(options);
  }
}

class StaysOpen extends MemoryKms {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

class ListsWhenClosed extends MemoryKms {
  override async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    try {
      yield* super.listKeyVersions(options);
    } catch (error) {
      if (!isKeyfoldError(error, 'CLOSED')) throw error;
    }
  }
}

class ClosesOnce extends MemoryKms {
  #closed = false;

  override async close(): Promise<void> {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This memory KMS was closed.');
    this.#closed = true;
    await super.close();
  }
}

/** Closes the connection of everybody else as well. */
class ClosesItsNeighbour extends MemoryKms {
  neighbour: MemoryKms | undefined;

  override async close(): Promise<void> {
    await this.neighbour?.close();
    await super.close();
  }
}

/** Cannot open anything any more once a listing was broken off. */
class BreaksOnAbort extends MemoryKms {
  #broken = false;

  override async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
    try {
      for await (const version of super.listKeyVersions(options)) yield version;
    } catch (error) {
      this.#broken ||= isKeyfoldError(error, 'ABORTED');
      throw error;
    }
  }

  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const opened = await super.decrypt(wrapped, options);
    if (this.#broken) throw new KeyfoldError('KMS_UNAVAILABLE', 'The connection is broken.');
    return opened;
  }
}

/** Hangs for good, whoever aborts. */
function hangsForGood({ client }: MemorySubject): () => void {
  client.fault = () => new Promise(() => undefined);
  return () => {
    client.fault = undefined;
  };
}

export const ENDING: readonly Mutant[] = [
  broken('asks the service for callers who have aborted', AsksForTheAborted, ['abort.before']),
  broken('rotates for callers who have aborted, and waits for ever', IgnoresAborts, ['abort.before', 'abort.during']),
  broken('tests the connection for callers who have aborted', TestsForTheAborted, ['abort.before', 'abort.during']),
  broken('takes any signal for an abort', TakesSignalsForAborts, ['abort.never', 'abort.timeout', 'health.shortKey', 'health.wrongKey']),
  declared('does not end when the caller aborts', { faults: { ...MEMORY_FAULTS, hanging: hangsForGood } }, ['abort.during']),
  broken('is broken by a call that ended early', BreaksOnAbort, ['abort.timeout']),
  broken('does not close', StaysOpen, ['close.closed', ...ERROR_CASES]),
  broken('lists versions when it is closed', ListsWhenClosed, ['close.closed']),
  broken('can be closed once', ClosesOnce, ['close.alone', 'close.closed', 'close.twice', ...ERROR_CASES]),
  declared(
    'closes other clients',
    {
      setUp: () => {
        const client = new ClosesItsNeighbour('one');
        client.neighbour = new MemoryKms('two');
        return { client, other: client.neighbour };
      },
    },
    ['close.alone'],
  ),
];
