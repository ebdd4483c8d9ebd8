import { inject } from 'vitest';
import pkcs11 from 'pkcs11js';
import { LABEL, PIN } from './softhsm.ts';

type Attributes = Readonly<Record<number, boolean | number | string | Buffer>>;

/** The token as an operator with its own tools sees it: the binding, without this package. */
export class RawToken {
  readonly session: Buffer;
  readonly slot: Buffer;
  readonly module = new pkcs11.PKCS11();

  /** @param label of the token; it must have been added before the module was first used */
  constructor(label = LABEL) {
    this.module.load(inject('faultyModule'));
    try {
      this.module.C_Initialize({ flags: pkcs11.CKF_OS_LOCKING_OK });
    } catch {
      // Initialised already.
    }
    const slot = this.module.C_GetSlotList(true).find((each) => this.module.C_GetTokenInfo(each).label.trimEnd() === label);
    if (slot === undefined) throw new Error(`There is no token ${label}.`);
    this.slot = slot;
    this.session = this.module.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
    try {
      this.module.C_Login(this.session, pkcs11.CKU_USER, PIN);
    } catch {
      // Logged in already.
    }
  }

  /** Puts an AES key onto the token, of these bytes or generated there. */
  addKey(label: string, id: string, { value, ...more }: { value?: Buffer } & Attributes = {}): Buffer {
    const attributes: Attributes = {
      [pkcs11.CKA_CLASS]: pkcs11.CKO_SECRET_KEY,
      [pkcs11.CKA_KEY_TYPE]: pkcs11.CKK_AES,
      [pkcs11.CKA_TOKEN]: true,
      [pkcs11.CKA_PRIVATE]: true,
      [pkcs11.CKA_SENSITIVE]: true,
      [pkcs11.CKA_EXTRACTABLE]: false,
      [pkcs11.CKA_ENCRYPT]: true,
      [pkcs11.CKA_DECRYPT]: true,
      [pkcs11.CKA_WRAP]: true,
      [pkcs11.CKA_UNWRAP]: true,
      [pkcs11.CKA_LABEL]: label,
      [pkcs11.CKA_ID]: Buffer.from(id, 'hex'),
      ...(value === undefined ? { [pkcs11.CKA_VALUE_LEN]: 32 } : { [pkcs11.CKA_VALUE]: value }),
      ...more,
    };
    const template = Object.entries(attributes).map(([type, each]) => ({ type: Number(type), value: each }));
    return value === undefined
      ? this.module.C_GenerateKey(this.session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, template)
      : this.module.C_CreateObject(this.session, template);
  }

  /** The handles of a key's versions. */
  find(label: string): Buffer[] {
    this.module.C_FindObjectsInit(this.session, [{ type: pkcs11.CKA_LABEL, value: label }]);
    const found = this.module.C_FindObjects(this.session, 100);
    this.module.C_FindObjectsFinal(this.session);
    return found;
  }

  /** An attribute's bytes in hex. */
  attribute(key: Buffer, type: number): string {
    return this.module.C_GetAttributeValue(this.session, key, [{ type }])[0]?.value.toString('hex') ?? '';
  }
}
