import assert from 'node:assert/strict';
import type { ErrorCode, KeyVersion, KmsClient } from '@keyfold/core/provider';
import { collect, refusal, sameBytes } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import type { KmsSubject } from './options.ts';
import { newContext, rotation, wrapNew, type KmsGroup, type KmsOptions } from './plan.ts';

const STATES: readonly string[] = ['enabled', 'disabled', 'destroyed', 'unknown'];
/** Seconds since 1970 would lie before this, which is 1973. */
const EARLIEST_MS = 100_000_000_000;
/** What rotateKey() may say where it is not to be had. */
const NO_ROTATION: readonly ErrorCode[] = ['NOT_SUPPORTED', 'INVALID_KEY_USAGE'];
const DURING_ROTATION = 10;

/** Versions are what the service says they are, and rotation keeps what was wrapped before. */
export const versionCases: KmsGroup = (options) => [
  ...(options.capabilities.versions ? reported() : unreported(options)),
  ...rotated(options),
  ...(options.capabilities.rotation
    ? []
    : [
        {
          id: 'rotate.refused',
          title: 'refuses rotateKey(), as it declares',
          run: async ({ client }: KmsSubject) => {
            await refusal(NO_ROTATION, client.rotateKey(), 'a rotation that the client declares it cannot do');
          },
        },
      ]),
];

function reported(): PlannedCase<KmsSubject>[] {
  return [
    {
      id: 'version.current',
      title: 'names the version that it wraps under as the current one',
      run: async ({ client }) => {
        const current = await client.currentKeyVersion();
        requireVersion(current);
        assert.equal(current.primary, true, 'the current version is the primary');
        assert.ok(current.state === 'enabled' || current.state === 'unknown', `the current version is ${current.state} and wraps`);
        assert.equal((await wrapNew(client)).wrapped.keyVersion, current.id, 'encrypt() reports another version');
        const { wrapped } = await client.generateDataKey({ context: newContext() });
        assert.equal(wrapped.keyVersion, current.id, 'generateDataKey() reports another version');
      },
    },
    {
      id: 'version.list',
      title: 'lists every version once, and one of them as the primary',
      run: async ({ client }) => {
        await requireList(client);
      },
    },
  ];
}

/** A client that declares no versions must not report any. */
function unreported<Subject extends KmsSubject>(options: KmsOptions<Subject>): PlannedCase<Subject>[] {
  const rotate = rotation(options);
  return [
    {
      id: 'version.none',
      title: 'reports no versions, as it declares',
      run: async (subject) => {
        const { client } = subject;
        await rotate?.(subject);
        assert.equal((await wrapNew(client)).wrapped.keyVersion, '', 'encrypt() reports a version');
        assert.equal((await client.generateDataKey({ context: newContext() })).wrapped.keyVersion, '', 'generateDataKey() reports a version');
        assert.ok((await collect(client.listKeyVersions())).every(({ id }) => id === ''), 'listKeyVersions() lists versions');
      },
    },
  ];
}

function rotated<Subject extends KmsSubject>(options: KmsOptions<Subject>): PlannedCase<Subject>[] {
  const rotate = rotation(options);
  const { capabilities } = options;
  if (rotate === undefined) return [];
  return [
    {
      id: 'rotate.old-wraps',
      title: 'opens what was wrapped before a rotation',
      run: async (subject) => {
        const { dek, context, wrapped } = await wrapNew(subject.client);
        await rotate(subject);
        sameBytes(await subject.client.decrypt(wrapped, { context }), dek, 'the key from before the rotation');
      },
    },
    {
      id: 'rotate.meanwhile',
      title: 'loses no key that is wrapped while it rotates',
      run: async (subject) => {
        const { client } = subject;
        const wrapping = Array.from({ length: DURING_ROTATION }, () => wrapNew(client));
        await rotate(subject);
        for (const { dek, context, wrapped } of await Promise.all(wrapping)) {
          sameBytes(await client.decrypt(wrapped, { context }), dek, 'a key wrapped during the rotation');
        }
      },
    },
    ...(capabilities.versions ? [newPrimary(rotate)] : []),
    ...(capabilities.versions && capabilities.rotation ? [answerOfRotation()] : []),
  ];
}

function newPrimary<Subject extends KmsSubject>(rotate: (subject: Subject) => unknown): PlannedCase<Subject> {
  return {
    id: 'rotate.new-primary',
    title: 'wraps under the new version after a rotation, and lists both',
    run: async (subject) => {
      const { client } = subject;
      const before = await client.currentKeyVersion();
      await rotate(subject);
      const after = await client.currentKeyVersion();
      assert.notEqual(after.id, before.id, 'the current version is still the old one');
      assert.equal((await wrapNew(client)).wrapped.keyVersion, after.id, 'encrypt() still wraps under the old version');
      const { wrapped } = await client.generateDataKey({ context: newContext() });
      assert.equal(wrapped.keyVersion, after.id, 'generateDataKey() still wraps under the old version');
      const listed = await requireList(client);
      assert.ok(listed.some(({ id }) => id === before.id), 'the old version is not listed');
    },
  };
}

function answerOfRotation(): PlannedCase<KmsSubject> {
  return {
    id: 'rotate.answer',
    title: 'answers a rotation with the version that it made',
    run: async ({ client }) => {
      const made = await client.rotateKey();
      requireVersion(made);
      assert.equal(made.primary, true, 'the new version is the primary');
      assert.equal(made.id, (await client.currentKeyVersion()).id, 'the new version is not the current one');
    },
  };
}

async function requireList(client: KmsClient): Promise<readonly KeyVersion[]> {
  const listed = await collect(client.listKeyVersions());
  for (const version of listed) requireVersion(version);
  assert.equal(new Set(listed.map(({ id }) => id)).size, listed.length, 'a version is listed twice');
  const primaries = listed.filter(({ primary }) => primary);
  assert.equal(primaries.length, 1, `${primaries.length} versions are listed as the primary`);
  assert.deepEqual(primaries[0], await client.currentKeyVersion(), 'the listed primary is not the current version');
  const times = listed.flatMap(({ createdAt }) => createdAt ?? []);
  if (times.length === listed.length) {
    assert.deepEqual(times, [...times].sort((a, b) => b - a), 'versions with known times are listed newest first');
  }
  return listed;
}

function requireVersion({ id, createdAt, state }: KeyVersion): void {
  assert.ok(id !== '', 'a version has an id');
  assert.ok(STATES.includes(state), `"${state}" is no state of a version`);
  assert.ok(
    createdAt === undefined || (Number.isSafeInteger(createdAt) && createdAt > EARLIEST_MS),
    'createdAt is a whole number of milliseconds since 1970, or undefined',
  );
}
