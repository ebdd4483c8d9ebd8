/** For implementors of Keyfold's ports: every promise of a port, as cases for any test runner. */
export type { ConformanceCase, ConformanceSuite } from './conformance/suite.ts';
export { kmsClientConformance } from './conformance/kms-client-conformance.ts';
export type { KmsConformanceOptions, KmsFault, KmsFaults, KmsSubject, Undo } from './conformance/kms/options.ts';
