/** What happened, in the vocabulary of the documentation. */
export type AuditAction =
  | 'checkpoint.encrypt'
  | 'checkpoint.decrypt'
  | 'checkpoint.read-metadata'
  | 'checkpoint.delete'
  | 'checkpoint.verify'
  | 'checkpoint.gc'
  | 'checkpoint.migrate'
  | 'checkpoint.read-plaintext'
  | 'checkpoint.open-plaintext'
  | 'key.create'
  | 'key.load'
  | 'key.retire'
  | 'key.rotate'
  | 'key.rewrap';

/** One accountable event. Never holds keys, plaintext, metadata or ciphertext. */
export interface AuditEvent {
  /** Unix milliseconds, from the Clock. */
  readonly time: number;
  readonly action: AuditAction;
  readonly outcome: 'success' | 'failure';
  readonly tenant: string;
  /**
   * The checkpoint id or the vault's scope. With `checkpoint.gc` the name of the
   * data object; with what concerns a whole store `*`.
   */
  readonly scope: string;
  /** 32 lowercase hex digits, where known. */
  readonly dek?: string;
  /** The KEK that wrapped or unwrapped, where known. */
  readonly kek?: { readonly provider: string; readonly keyId: string; readonly keyVersion: string };
  /** With a failure: the error's code. */
  readonly code?: string;
}

/** Takes audit events. A rejection makes the audited operation fail with AUDIT_FAILED. */
export interface AuditSink {
  /** Takes one event; when it resolves, the event is kept. */
  record(event: AuditEvent): void | Promise<void>;
}
