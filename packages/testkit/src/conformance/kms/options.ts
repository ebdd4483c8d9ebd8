import type { ErrorCode, KmsCapabilities, KmsClient } from '@keyfold/core/provider';

/** Two clients of one provider, each for a key of its own. Extend it with whatever your hooks need. */
export interface KmsSubject {
  /** The client under test; its key is enabled and the caller may use it. */
  readonly client: KmsClient;
  /** A client for another key of the same service. */
  readonly other: KmsClient;
}

/** Ends a fault. */
export type Undo = () => unknown;

/** Begins a fault that holds, for every call, until it is undone. */
export type KmsFault<Subject> = (subject: Subject) => Undo | Promise<Undo>;

/** What the key service can be made to do wrong. Each one that is given adds its cases. */
export interface KmsFaults<Subject> {
  /** The caller is known and refused: ACCESS_DENIED. */
  readonly denied?: KmsFault<Subject>;
  /** Credentials are expired, absent or wrong: AUTHENTICATION_FAILED. */
  readonly unauthenticated?: KmsFault<Subject>;
  /** Too many calls: KMS_THROTTLED. */
  readonly throttled?: KmsFault<Subject>;
  /** The key, with all its versions, is switched off: KEY_DISABLED. */
  readonly disabled?: KmsFault<Subject>;
  /** The key is gone: KEY_NOT_FOUND. */
  readonly notFound?: KmsFault<Subject>;
  /** The key is of a kind that cannot wrap: INVALID_KEY_USAGE. */
  readonly wrongUsage?: KmsFault<Subject>;
  /** The service answers that it failed, e.g. with a 503: KMS_UNAVAILABLE. */
  readonly serverError?: KmsFault<Subject>;
  /** Nobody listens: KMS_UNAVAILABLE. */
  readonly refused?: KmsFault<Subject>;
  /** Connections break before the answer: KMS_UNAVAILABLE. */
  readonly reset?: KmsFault<Subject>;
  /** Answers are no answers of the protocol: KMS_PROTOCOL_ERROR or KMS_UNAVAILABLE. */
  readonly garbage?: KmsFault<Subject>;
  /** Answers name another key than the one that was asked for: KMS_PROTOCOL_ERROR. */
  readonly wrongKey?: KmsFault<Subject>;
  /** Answers hold a plaintext key that is too short: KMS_PROTOCOL_ERROR. */
  readonly shortKey?: KmsFault<Subject>;
  /** No further rotation is permitted: ROTATION_LIMIT from rotateKey(). */
  readonly rotationLimit?: KmsFault<Subject>;
  /** Calls arrive and are never answered: they end by abort and by the time limit of core. */
  readonly hanging?: KmsFault<Subject>;
}

/** What an implementor of `KmsClient` declares; what is left out is not tested and listed in `notProven`. */
export interface KmsConformanceOptions<Subject extends KmsSubject = KmsSubject> {
  /** Makes what one case runs on: two new clients, of new keys or of keys that stand for a while. */
  readonly setUp: () => Subject | Promise<Subject>;
  /** Removes it. Default: closes both clients. */
  readonly tearDown?: (subject: Subject) => unknown;
  /** What the client has to declare, and to keep. */
  readonly capabilities: KmsCapabilities;
  /** Makes a new primary version by another way than `rotateKey()`, for services that others rotate. */
  readonly rotate?: (subject: Subject) => unknown;
  /** How many calls of the subject's clients have reached the key service up to now. */
  readonly calls?: (subject: Subject) => number;
  /** Another client of the same key as `subject.client`; the case closes it. */
  readonly reopen?: (subject: Subject) => KmsClient | Promise<KmsClient>;
  readonly faults?: KmsFaults<Subject>;
  /** Passwords, tokens and signing keys of the clients: no error may show them, in any spelling. */
  readonly credentials?: (subject: Subject) => readonly (string | Uint8Array)[];
  /** Codes that the provider documents beyond those of the port, e.g. `STORAGE_FAILURE` of a keyring file. */
  readonly additionalCodes?: readonly ErrorCode[];
  /** Milliseconds after which a call counts as one that never ends. Default 10,000. */
  readonly neverMs?: number;
}
