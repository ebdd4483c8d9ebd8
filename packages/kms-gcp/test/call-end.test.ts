import { expect, test } from 'vitest';
import { CallEnd } from '../src/call-end.ts';
import { failure } from './support/expect-code.ts';

test('work that is asked for after the end is not waited for, and what it gives is discarded', async () => {
  const end = new CallEnd(undefined, 600_000);
  end.come();
  let finish: (late: string) => void = () => undefined;
  const discarded: string[] = [];
  const waiting = failure('KMS_UNAVAILABLE', () => end.orEnd(new Promise<string>((resolve) => (finish = resolve)), (late) => discarded.push(late)));
  await waiting;
  finish('late');
  await expect.poll(() => discarded).toEqual(['late']);
  end.clear();
});

test('a failure that comes after the end is nobody\'s', async () => {
  const end = new CallEnd(AbortSignal.abort(), 1);
  let fail: (reason: Error) => void = () => undefined;
  const waiting = failure('KMS_UNAVAILABLE', () => end.orEnd(new Promise<never>((_, reject) => (fail = reject))));
  await waiting;
  fail(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
  end.clear();
});
