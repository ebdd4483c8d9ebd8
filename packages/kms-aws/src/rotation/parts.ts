import type { ResolvedKey } from '../key-name.ts';
import type { KeyVersions } from '../key-versions.ts';
import type { KmsCalls } from '../kms-calls.ts';

/** What every strategy works with. */
export interface RotationParts {
  readonly calls: KmsCalls;
  readonly key: ResolvedKey;
  readonly versions: KeyVersions;
}
