import type { Principal } from '../auth/principals.ts';
import { isName, locationOf, parentOf } from '../keys/resource-name.ts';
import type { KmsState } from '../keys/kms-state.ts';
import type { Fields, Plain } from '../wire/fields.ts';
import { GcpError } from '../wire/gcp-error.ts';

/** One authenticated request: who asks, and when. */
export class Call {
  readonly state: KmsState;
  readonly principal: Principal;
  /** The time at which it is carried out, by the clock of the keys. */
  now = 0;
  /** For the request log. */
  readonly keys: string[] = [];
  location: string | undefined;

  constructor(state: KmsState, principal: Principal) {
    this.state = state;
    this.principal = principal;
  }

  /**
   * Notes what is asked for, and refuses what the principal may not do.
   *
   * @param permission without `cloudkms.`
   * @throws GcpError PERMISSION_DENIED, whether or not there is such a resource
   */
  authorize(permission: string, resource: string): void {
    this.location = locationOf(resource);
    const key = isName('version', resource) ? parentOf(resource) : resource;
    if (isName('cryptoKey', key)) this.keys.push(key);
    if (this.principal.may(`cloudkms.${permission}`, resource)) return;
    throw new GcpError('PERMISSION_DENIED', `Permission 'cloudkms.${permission}' denied on resource '${resource}' (or it may not exist).`);
  }
}

/** One operation of the API: reads the request, carries it out and gives the answer. */
export type Operation = (call: Call, request: Fields) => Plain;
