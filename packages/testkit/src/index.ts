/** For implementors of Keyfold's ports: every promise of a port, as cases for any test runner. */
export type { ConformanceCase, ConformanceSuite } from './conformance/suite.ts';
export { kmsClientConformance } from './conformance/kms-client-conformance.ts';
export type { KmsConformanceOptions, KmsFault, KmsFaults, KmsSubject, Undo } from './conformance/kms/options.ts';
export { objectStoreConformance } from './conformance/object-store-conformance.ts';
export type { ObjectStoreConformanceOptions, ObjectStoreSubject } from './conformance/object-store/options.ts';
export { keyRecordStoreConformance } from './conformance/key-record-store-conformance.ts';
export type { KeyRecordStoreConformanceOptions, KeyRecordStoreSubject } from './conformance/key-record-store/options.ts';
