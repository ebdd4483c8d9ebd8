import { AwsError, notFound } from '../wire/aws-error.ts';
import type { Principal } from '../auth/principals.ts';
import type { EncryptionContext } from '../keys/ciphertext.ts';
import { identifyKey, type NamedKey } from '../keys/key-identifier.ts';
import type { KmsKey } from '../keys/kms-key.ts';
import type { KmsRegion } from '../keys/kms-region.ts';
import type { KmsState } from '../keys/kms-state.ts';

/** What a key is named for and by. */
export interface KeyRequest {
  /** The permission that is needed, without `kms:`. */
  readonly action: string;
  readonly identifier: string;
  readonly aliases?: 'with aliases' | 'without aliases';
  readonly context?: EncryptionContext | undefined;
}

/** One authenticated request: who asks, in which region, and when. */
export class Call {
  readonly state: KmsState;
  readonly region: KmsRegion;
  readonly principal: Principal;
  /** The time at which it is carried out, by the clock of the keys. */
  now = 0;
  /** For the request log. */
  readonly keys: string[] = [];
  encryptionContext: EncryptionContext | undefined;

  constructor(state: KmsState, region: KmsRegion, principal: Principal) {
    this.state = state;
    this.region = region;
    this.principal = principal;
  }

  /**
   * Refuses what the principal's policy does not allow.
   *
   * @throws AwsError AccessDeniedException
   */
  authorize(action: string, resource: string, named: { alias?: string | undefined; context?: EncryptionContext | undefined } = {}): void {
    const facts = { encryptionContext: named.context, alias: named.alias, resourceAliases: this.region.aliasesOf(resource, this.now - this.state.aliasAuthorizationMs) };
    const refusal = this.principal.policy.refusal({ action: `kms:${action}`, resource, facts });
    if (refusal === undefined) return;
    const why =
      refusal === 'explicit deny'
        ? 'with an explicit deny in an identity-based policy'
        : `because no identity-based policy allows the kms:${action} action`;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${this.principal.arn} is not authorized to perform: kms:${action} on resource: ${resource} ${why}`,
    );
  }

  /**
   * The key that a request names, if the principal may use it so.
   *
   * @throws AwsError NotFoundException, InvalidArnException or AccessDeniedException
   */
  useKey({ action, identifier, aliases = 'without aliases', context }: KeyRequest): KmsKey {
    const named = identifyKey(this.region, identifier, aliases);
    this.keys.push(named.arn);
    this.authorize(action, named.arn, { alias: named.alias, context });
    return this.existing(named);
  }

  /** @throws AwsError NotFoundException */
  existing({ id, arn }: Pick<NamedKey, 'id' | 'arn'>): KmsKey {
    const key = this.region.keys.get(id);
    if (key === undefined) throw notFound(`Key '${arn}' does not exist`);
    return key;
  }
}
