import { AwsError } from '../wire/aws-error.ts';
import type { Output } from './operation.ts';

/**
 * One page of a list, after the item that the marker names. The list has to be in the order of its ids,
 * so that items which come and go between two pages neither repeat nor hide others.
 *
 * @throws AwsError InvalidMarkerException for a marker that is not of this server's making
 */
export function page<T>(
  items: readonly T[],
  idOf: (item: T) => string,
  { limit, marker }: { limit: number; marker: string | undefined },
): { readonly items: readonly T[]; readonly paging: Output } {
  const after = marker === undefined ? undefined : readMarker(marker);
  const rest = after === undefined ? items : items.filter((item) => idOf(item) > after);
  const shown = rest.slice(0, limit);
  const last = shown.at(-1);
  if (rest.length <= limit || last === undefined) return { items: shown, paging: { Truncated: false } };
  return { items: shown, paging: { Truncated: true, NextMarker: writeMarker(idOf(last)) } };
}

const PREFIX = 'after:';

function writeMarker(id: string): string {
  return Buffer.from(PREFIX + id).toString('base64');
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64').toString();
  if (!text.startsWith(PREFIX) || writeMarker(text.slice(PREFIX.length)) !== marker) {
    throw new AwsError('InvalidMarkerException', 'The marker is not one that this operation has returned.');
  }
  return text.slice(PREFIX.length);
}
