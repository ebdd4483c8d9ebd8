import { AwsError, validationError } from '../wire/aws-error.ts';
import { integer, required } from '../wire/shape.ts';
import { define, keyId, keyIdOnly } from './define.ts';

const DEFAULT_WINDOW_DAYS = 30;

/** EnableKey. */
export const enableKey = define('EnableKey', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'EnableKey', identifier: input.KeyId });
  key.checkNotPending(call.now);
  key.enable(call.now);
  return undefined;
});

/** DisableKey. */
export const disableKey = define('DisableKey', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'DisableKey', identifier: input.KeyId });
  key.checkNotPending(call.now);
  key.disable();
  return undefined;
});

/** ScheduleKeyDeletion: after 7 to 30 days, 30 by default. */
export const scheduleKeyDeletion = define(
  'ScheduleKeyDeletion',
  { KeyId: required(keyId), PendingWindowInDays: integer({ min: 1, max: 365 }) },
  (call, input) => {
    const key = call.useKey({ action: 'ScheduleKeyDeletion', identifier: input.KeyId });
    key.checkNotPending(call.now);
    const windowDays = input.PendingWindowInDays ?? DEFAULT_WINDOW_DAYS;
    if (windowDays < 7 || windowDays > 30) throw validationError('PendingWindowInDays must be between 7 and 30.');
    key.scheduleDeletion(windowDays, call.now);
    return {
      KeyId: key.arn,
      KeyState: key.state(call.now),
      DeletionDate: key.deletionAt === undefined ? undefined : new Date(key.deletionAt),
      PendingWindowInDays: windowDays,
    };
  },
);

/** CancelKeyDeletion: the key comes back disabled. */
export const cancelKeyDeletion = define('CancelKeyDeletion', keyIdOnly, (call, input) => {
  const key = call.useKey({ action: 'CancelKeyDeletion', identifier: input.KeyId });
  if (!key.isPendingDeletion) throw new AwsError('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
  key.cancelDeletion();
  return { KeyId: key.arn };
});
