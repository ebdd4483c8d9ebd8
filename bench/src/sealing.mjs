/** One for all, as a store has. */
const freers = new WeakMap();

function freerOf(keyfold) {
  const { BufferFreer } = keyfold.provider;
  if (BufferFreer === undefined) return undefined;
  if (!freers.has(keyfold)) freers.set(keyfold, new BufferFreer());
  return freers.get(keyfold);
}

/** Seals everything and throws it away, as a sink that is infinitely fast would. */
export async function sealAll(keyfold, chunks) {
  const kms = new keyfold.testing.MemoryKms();
  const sealer = await keyfold.core.sealCheckpoint({ kms, tenant: 'bench', checkpoint: 'sealed' });
  // Builds before there was such a thing leave their buffers to the collector.
  const freer = freerOf(keyfold);
  const release = (pieces) => pieces.forEach((piece) => freer?.free(piece));
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += 1_048_576) release(sealer.push(chunk.subarray(at, at + 1_048_576)));
  }
  release([sealer.end()]);
}
