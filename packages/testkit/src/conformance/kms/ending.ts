import assert from 'node:assert/strict';
import { GuardedKmsClient, Meter } from '@keyfold/core';
import { isKeyfoldError, systemClock, type ErrorCode, type KmsClient } from '@keyfold/core/provider';
import { ended, refusal, sameBytes } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import type { KmsFault, KmsSubject } from './options.ts';
import { neverMs, operations, wrapNew, type KmsGroup, type KmsOptions, type Operation } from './plan.ts';

const GUARD_TIMEOUT_MS = 50;

/** Calls end: when the caller aborts, when the time is up, and when the client is closed. */
export const endingCases: KmsGroup = (options) => [
  {
    id: 'abort.before',
    title: 'does nothing for a caller who has aborted',
    run: async (subject) => {
      const { client } = subject;
      const work = operations(client, await wrapNew(client), AbortSignal.abort());
      const before = options.calls?.(subject);
      for (const operation of supported(options)) await refusal('ABORTED', work[operation], `${operation}() after an abort`);
      await endsWith('ABORTED', client, { signal: AbortSignal.abort() });
      assert.equal(options.calls?.(subject), before, 'a call of a caller who had aborted was sent to the service');
    },
  },
  {
    id: 'abort.never',
    title: 'works with a signal that never fires',
    run: async ({ client }) => {
      const wrap = await wrapNew(client);
      const { signal } = new AbortController();
      sameBytes(await client.decrypt(wrap.wrapped, { context: wrap.context, signal }), wrap.dek, 'the key');
      assert.equal((await client.testConnection({ signal })).roundTrip, true, 'testConnection() with a signal');
    },
  },
  {
    id: 'close.closed',
    title: 'refuses every call once it is closed',
    run: async ({ client }) => {
      const work = operations(client, await wrapNew(client));
      await client.close();
      for (const operation of supported(options)) await refusal('CLOSED', work[operation], `${operation}() after close()`);
      await endsWith('CLOSED', client);
    },
  },
  {
    id: 'close.twice',
    title: 'can be closed more than once, also at the same time',
    run: async ({ client }) => {
      await Promise.all([client.close(), client.close()]);
      await client.close();
    },
  },
  {
    id: 'close.alone',
    title: 'closes no other client of its service',
    run: async ({ client, other }) => {
      await client.close();
      const { dek, context, wrapped } = await wrapNew(other);
      sameBytes(await other.decrypt(wrapped, { context }), dek, 'the key');
    },
  },
  ...(options.faults?.hanging === undefined ? [] : hangingCases(options, options.faults.hanging)),
];

function hangingCases<Subject extends KmsSubject>(options: KmsOptions<Subject>, hang: KmsFault<Subject>): PlannedCase<Subject>[] {
  const limit = neverMs(options);
  return [
    {
      id: 'abort.during',
      title: 'ends calls that are under way when the caller aborts',
      run: async (subject) => {
        const { client } = subject;
        const wrap = await wrapNew(client);
        const undo = await hang(subject);
        try {
          for (const operation of supported(options)) {
            const controller = new AbortController();
            const waiting = refusal('ABORTED', operations(client, wrap, controller.signal)[operation], `${operation}() during an abort`);
            await aWhile();
            controller.abort();
            await ended(waiting, limit, `${operation}() of a caller who had aborted`);
          }
          const controller = new AbortController();
          const testing = endsWith('ABORTED', client, { signal: controller.signal });
          await aWhile();
          controller.abort();
          await ended(testing, limit, 'testConnection() of a caller who had aborted');
        } finally {
          await undo();
        }
      },
    },
    {
      id: 'abort.timeout',
      title: 'ends under the time limit of core when the service does not answer, and works again afterwards',
      run: async (subject) => {
        const wrap = await wrapNew(subject.client);
        const guarded = guard(subject.client, GUARD_TIMEOUT_MS);
        const undo = await hang(subject);
        try {
          const work = operations(guarded, wrap);
          for (const operation of supported(options)) {
            await ended(refusal('KMS_UNAVAILABLE', work[operation], `${operation}() of a service that hangs`), limit, operation);
          }
          const health = await ended(guarded.testConnection(), limit, 'testConnection()');
          assert.equal(health.reachable, false, 'a service that hangs is reported as reachable');
        } finally {
          await undo();
        }
        sameBytes(await subject.client.decrypt(wrap.wrapped, { context: wrap.context }), wrap.dek, 'the key after the service had hung');
      },
    },
  ];
}

/** The client as applications have it. */
export function guard(client: KmsClient, timeoutMs: number): KmsClient {
  return new GuardedKmsClient(client, { meter: new Meter(undefined), clock: systemClock, timeoutMs });
}

function supported<Subject extends KmsSubject>({ capabilities }: KmsOptions<Subject>): readonly Operation[] {
  const always = ['encrypt', 'decrypt', 'generateDataKey', 'currentKeyVersion', 'listKeyVersions'] as const;
  return capabilities.rotation ? [...always, 'rotateKey'] : always;
}

/** Nothing was tried, so testConnection() may reject; or report that. */
async function endsWith(code: ErrorCode, client: KmsClient, options?: { signal: AbortSignal }): Promise<void> {
  try {
    const { roundTrip, problem } = await client.testConnection(options);
    assert.deepEqual({ roundTrip, code: problem?.code }, { roundTrip: false, code }, 'testConnection() reports something else');
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(isKeyfoldError(error, code), `testConnection() rejects with something else than ${code}`);
  }
}

/** Long enough, as a rule, for a call to be on its way; if it is not, the abort comes earlier and has to do all the same. */
function aWhile(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
