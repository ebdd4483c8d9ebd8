import type { KeyVersion } from '../ports/kms-client.ts';
import { type CallGuard, begin } from './call-guard.ts';

/** One iteration of the provider's, and what ends it. */
interface Listing {
  readonly gate: AbortController;
  readonly iterator: AsyncIterator<KeyVersion>;
}

/**
 * Lists key versions, each step a call of its own. Until the first version is
 * out a failed step is followed by a new iteration; afterwards there is no way
 * back into one, and the failure is the caller's.
 */
export async function* listVersions(
  calls: CallGuard,
  list: (signal: AbortSignal) => AsyncIterable<KeyVersion>,
  signal: AbortSignal | undefined,
): AsyncGenerator<KeyVersion, void, undefined> {
  let listing: Listing | undefined;
  const first = async (): Promise<IteratorResult<KeyVersion>> => {
    close(listing);
    const gate = new AbortController();
    listing = { gate, iterator: list(gate.signal)[Symbol.asyncIterator]() };
    return listing.iterator.next();
  };
  try {
    let step = await calls.call({ operation: 'listKeyVersions', signal, run: first });
    const { iterator } = listing as unknown as Listing;
    while (step.done !== true) {
      yield step.value;
      step = await calls.call({ operation: 'listKeyVersions', signal, run: () => iterator.next(), once: true });
    }
  } finally {
    close(listing);
  }
}

function close(listing: Listing | undefined): void {
  if (listing === undefined) return;
  listing.gate.abort();
  // Not waited for: behind a next() that hangs, return() hangs too.
  begin(() => listing.iterator.return?.()).catch(() => undefined);
}
