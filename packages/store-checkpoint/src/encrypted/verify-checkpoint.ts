import { type ErrorCode, type OpenedKeyRecord, isKeyfoldError } from '@keyfold/core';
import { integrityFailure, throwIfAborted, toHex } from '@keyfold/core/provider';
import { openWhole, withRecord } from './load.ts';
import { matchesReceipt, receiptOf } from './receipt.ts';
import { type StoreContext, dataNameOf } from './store-context.ts';
import { Trail } from './trail.ts';
import type { ResolvedVerify, VerifyFinding, VerifyStatus } from './verify-options.ts';

/**
 * One checkpoint, with its event; undefined when it was deleted meanwhile.
 * @throws KeyfoldError ABORTED, CLOSED, INVALID_ARGUMENT (a receipt that is none), AUDIT_FAILED; and what `expect` throws
 */
export async function verifyCheckpoint(context: StoreContext, id: string, options: ResolvedVerify): Promise<VerifyFinding | undefined> {
  const trail = new Trail(context, 'checkpoint.verify', id);
  const finding = await look(context, id, options, trail).catch(async (error: unknown) => {
    const judged = judge({ id }, error);
    // Deleted since it was listed: nothing happened to it here.
    if (judged !== undefined) await trail.failure(error);
    return judged;
  });
  if (finding?.status === 'ok') await trail.success();
  else if (finding?.code === undefined && finding !== undefined) await trail.failure(integrityFailure(`The checkpoint ${JSON.stringify(id)}`));
  return finding;
}

async function look(context: StoreContext, id: string, options: ResolvedVerify, trail: Trail): Promise<VerifyFinding> {
  const { signal } = options;
  const expected = await options.expect?.(id);
  let receipt: ReturnType<typeof receiptOf> | undefined;
  const found = await withRecord(context, id, { signal }, async (opened) => {
    receipt = receiptOf(opened);
    trail.note(toHex(opened.parsed.record.dekId), opened.wrap);
    return options.data ? openWhole(context, id, opened, { signal }) : isThere(context, id, opened, options);
  });
  const about = { id, ...(receipt === undefined ? {} : { receipt }) };
  if (found.opened === undefined) return { status: 'missing-data', ...about, message: MISSING };
  try {
    const matches = expected === undefined || matchesReceipt(expected, found.opened);
    const bytes = await authenticated(found.data.plaintext, signal);
    return { ...(matches ? { status: 'ok' } : { status: 'receipt-mismatch', message: MISMATCH }), bytes, ...about };
  } finally {
    found.opened.lease.release();
    await found.data.cancel();
  }
}

/** Like data of which nothing is read. */
async function isThere(
  context: StoreContext,
  id: string,
  { parsed: { record, rest } }: OpenedKeyRecord,
  { signal }: ResolvedVerify,
): Promise<Awaited<ReturnType<typeof openWhole>>> {
  const there = rest.byteLength > 0 || (await context.objects.head(dataNameOf(context, id, toHex(record.objectId)), { signal })) !== undefined;
  return there ? { plaintext: nothing(), cancel: () => Promise.resolve() } : undefined;
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {
  // Nothing was asked for.
}

/** Reads to the end, keeps nothing, and overwrites every chunk. Gives the number of bytes. */
async function authenticated(plaintext: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<number> {
  let bytes = 0;
  for await (const chunk of plaintext) {
    bytes += chunk.byteLength;
    chunk.fill(0);
    throwIfAborted(signal);
  }
  return bytes;
}

const MISSING = 'The record is sound and its data are gone. Restore them from a backup, or delete the checkpoint.';
const MISMATCH = 'This is another save, or an older generation, than the receipt is of. Find out who writes there, and restore the checkpoint from a backup.';

const STATUS_OF: Partial<Record<ErrorCode, VerifyStatus>> = {
  INTEGRITY_FAILURE: 'damaged',
  LIMIT_EXCEEDED: 'damaged',
  KEY_NOT_ALLOWED: 'key-not-allowed',
};

/** What ends the whole run, for it says nothing about this checkpoint. */
const FATAL: readonly ErrorCode[] = ['ABORTED', 'CLOSED', 'INVALID_ARGUMENT', 'AUDIT_FAILED'];

/**
 * The finding that an error is, about a checkpoint or an object; undefined when that is gone.
 * @throws what is about neither
 */
export function judge(about: Pick<VerifyFinding, 'id' | 'object'>, error: unknown): VerifyFinding | undefined {
  if (!isKeyfoldError(error) || FATAL.includes(error.code)) throw error;
  if (error.code === 'NOT_FOUND') return undefined;
  return { status: STATUS_OF[error.code] ?? 'unchecked', ...about, code: error.code, message: error.message };
}
