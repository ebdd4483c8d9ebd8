import type { Fields, Plain } from '../wire/fields.ts';
import { invalidArgument } from '../wire/gcp-error.ts';

/** Cloud KMS chooses the size where the caller does not, and gives no more than this. */
const DEFAULT_SIZE = 100;
const MAX_SIZE = 1_000;
const PREFIX = 'after:';

/** What is listed: its place in the list, and how it is shown. */
interface Listed {
  readonly name: string;
  toMessage(): Plain;
}

/**
 * One page of a list, from behind the item that the token names.
 *
 * @throws GcpError INVALID_ARGUMENT for a token that is not of this server's making, and for filters, which it does not play
 */
export function page(request: Fields, member: string, items: readonly Listed[]): Plain {
  if (request.text('filter') !== '' || request.text('orderBy') !== '') throw invalidArgument('This server plays neither filter nor orderBy.');
  const size = request.number('pageSize');
  if (size < 0) throw invalidArgument('pageSize must not be negative.');
  const start = startOf(request.text('pageToken'), items);
  const shown = items.slice(start, start + Math.min(size === 0 ? DEFAULT_SIZE : size, MAX_SIZE));
  const last = shown.at(-1);
  const more = start + shown.length < items.length && last !== undefined;
  return {
    [member]: shown.map((item) => item.toMessage()),
    totalSize: items.length,
    ...(more && { nextPageToken: Buffer.from(PREFIX + last.name).toString('base64url') }),
  };
}

function startOf(token: string, items: readonly Listed[]): number {
  if (token === '') return 0;
  const text = Buffer.from(token, 'base64url').toString();
  const index = items.findIndex(({ name }) => PREFIX + name === text);
  if (index < 0) throw invalidArgument('The page token is not one that this operation has returned.');
  return index + 1;
}
