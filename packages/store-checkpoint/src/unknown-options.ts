import { KeyfoldError } from '@keyfold/core';

/** @throws KeyfoldError INVALID_ARGUMENT: a call that does not know `dryrun` must not go on without `dryRun` */
export function refuseUnknownOptions(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new KeyfoldError('INVALID_ARGUMENT', `${call} takes an object. Known options are: ${known.join(', ')}.`);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new KeyfoldError('INVALID_ARGUMENT', `${call} has no option ${JSON.stringify(unknown.slice(0, 100))}. Known are: ${known.join(', ')}.`);
}
