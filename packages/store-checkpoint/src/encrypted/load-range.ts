import { type ByteRange, type OpenPart, type OpenedKeyRecord, type OpenedRange, openCheckpointRange, rangeInvalid } from '@keyfold/core';
import { toHex } from '@keyfold/core/provider';
import type { CallOptions } from '../checkpoint-store.ts';
import { type StoreContext, dataNameOf } from './store-context.ts';

/** Part of a checkpoint's verified plaintext, or undefined when the data object is absent. */
export function openRange(
  context: StoreContext,
  id: string,
  opened: OpenedKeyRecord,
  { range, signal }: CallOptions & { readonly range: ByteRange },
): Promise<OpenedRange | undefined> {
  const { record, rest } = opened.parsed;
  const name = dataNameOf(context, id, toHex(record.objectId));
  const openPart: OpenPart = rest.byteLength > 0 ? inlineParts(rest) : (part) => context.objects.open(name, { range: part, signal });
  return openCheckpointRange(opened, { tenant: context.tenant, checkpoint: id }, openPart, range);
}

/** Data that stand behind their record were read with it. */
function inlineParts(data: Uint8Array): OpenPart {
  return (part) => {
    const size = data.byteLength;
    if (part.end > size) return Promise.reject(rangeInvalid('The inline data', part, size));
    return Promise.resolve({ size, body: once(data.subarray(part.start, part.end)), cancel: () => Promise.resolve() });
  };
}

/** Bytes as the body of an object. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes);
}
