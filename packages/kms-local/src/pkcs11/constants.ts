/*
 * Numbers of PKCS#11 2.40 and 3.0 (OASIS, pkcs11t.h) that this client uses.
 * They are here, not taken from the binding, so that nothing of it is needed
 * before a token is opened.
 */

/** Attributes of objects. */
export const CKA = {
  CLASS: 0x000,
  TOKEN: 0x001,
  PRIVATE: 0x002,
  LABEL: 0x003,
  VALUE: 0x011,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  WRAP: 0x106,
  UNWRAP: 0x107,
  SIGN: 0x108,
  VERIFY: 0x10a,
  DERIVE: 0x10c,
  VALUE_LEN: 0x161,
  EXTRACTABLE: 0x162,
  NEVER_EXTRACTABLE: 0x164,
  ALWAYS_SENSITIVE: 0x165,
} as const;

export const CKO_SECRET_KEY = 4;
export const CKU_USER = 1;

/** Types of keys. */
export const CKK = { GENERIC_SECRET: 0x10, AES: 0x1f } as const;

/** Mechanisms. */
export const CKM = {
  AES_KEY_GEN: 0x1080,
  AES_GCM: 0x1087,
  /** RFC 5649 where the token follows PKCS#11 2.40 as most read it. */
  AES_KEY_WRAP_PAD: 0x210a,
  /** RFC 5649 since PKCS#11 3.0. */
  AES_KEY_WRAP_KWP: 0x210b,
} as const;

/** The binding's number for CK_GCM_PARAMS as in PKCS#11 2.40 errata and later, with ulIvBits. */
export const PARAMS_GCM = 7;

export const CKF = {
  /** Of C_Initialize: the module may be called from several threads. */
  OS_LOCKING_OK: 0x02,
  /** Of sessions. */
  RW_SESSION: 0x02,
  SERIAL_SESSION: 0x04,
  /** Of mechanisms. */
  ENCRYPT: 0x100,
  DECRYPT: 0x200,
  WRAP: 0x20000,
  UNWRAP: 0x40000,
  /** Of tokens. */
  LOGIN_REQUIRED: 0x0004,
  TOKEN_INITIALIZED: 0x0400,
  USER_PIN_FINAL_TRY: 0x20000,
  USER_PIN_LOCKED: 0x40000,
} as const;

/** States of sessions in which the user is logged in: read-only and read-write. */
export const CKS_USER: readonly number[] = [1, 3];

/** What calls return. */
export const CKR = {
  SLOT_ID_INVALID: 0x003,
  GENERAL_ERROR: 0x005,
  FUNCTION_FAILED: 0x006,
  DATA_LEN_RANGE: 0x021,
  DATA_INVALID: 0x020,
  DEVICE_ERROR: 0x030,
  DEVICE_MEMORY: 0x031,
  DEVICE_REMOVED: 0x032,
  ENCRYPTED_DATA_INVALID: 0x040,
  ENCRYPTED_DATA_LEN_RANGE: 0x041,
  AEAD_DECRYPT_FAILED: 0x042,
  FUNCTION_NOT_SUPPORTED: 0x054,
  KEY_HANDLE_INVALID: 0x060,
  KEY_SIZE_RANGE: 0x062,
  KEY_TYPE_INCONSISTENT: 0x063,
  KEY_FUNCTION_NOT_PERMITTED: 0x068,
  MECHANISM_INVALID: 0x070,
  MECHANISM_PARAM_INVALID: 0x071,
  OBJECT_HANDLE_INVALID: 0x082,
  PIN_INCORRECT: 0x0a0,
  PIN_INVALID: 0x0a1,
  PIN_LEN_RANGE: 0x0a2,
  PIN_EXPIRED: 0x0a3,
  PIN_LOCKED: 0x0a4,
  SESSION_CLOSED: 0x0b0,
  SESSION_COUNT: 0x0b1,
  SESSION_HANDLE_INVALID: 0x0b3,
  SESSION_READ_ONLY: 0x0b5,
  TEMPLATE_INCONSISTENT: 0x0d1,
  TOKEN_NOT_PRESENT: 0x0e0,
  TOKEN_NOT_RECOGNIZED: 0x0e1,
  TOKEN_WRITE_PROTECTED: 0x0e2,
  UNWRAPPING_KEY_HANDLE_INVALID: 0x0f0,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  USER_ANOTHER_ALREADY_LOGGED_IN: 0x104,
  WRAPPED_KEY_INVALID: 0x110,
  WRAPPED_KEY_LEN_RANGE: 0x112,
  WRAPPING_KEY_HANDLE_INVALID: 0x113,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;
