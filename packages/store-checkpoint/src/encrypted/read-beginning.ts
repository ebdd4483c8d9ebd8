import { KeyfoldError, type ObjectInfo, type ObjectStore, isKeyfoldError } from '@keyfold/core';
import { concatBytes } from '@keyfold/core/provider';

/** How often an object may shrink under a listing before that gives up. */
const ATTEMPTS = 5;

/** The first bytes of an object that a listing gave, `maxBytes` of them if it has as many; undefined when it is absent. */
export async function readBeginning(
  objects: ObjectStore,
  listed: ObjectInfo,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const { name } = listed;
  let info: ObjectInfo | undefined = listed;
  for (let attempt = 0; attempt < ATTEMPTS && info !== undefined; attempt++) {
    try {
      const object = await objects.open(name, { range: { start: 0, end: Math.min(info.size, maxBytes) }, signal });
      return object && (await collected(object.body));
    } catch (error) {
      // Replaced by something shorter since it was listed: look again how long it is.
      if (!isKeyfoldError(error, 'RANGE_INVALID')) throw error;
      info = await objects.head(name, { signal });
    }
  }
  if (info === undefined) return undefined;
  throw new KeyfoldError('CONFLICT', `The object ${name} is being replaced faster than it can be read. Try again.`);
}

async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return concatBytes(...chunks);
}
