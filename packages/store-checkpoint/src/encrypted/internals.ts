/** What files of this package may ask of an open store, and nobody else. */
export const CONTEXT = Symbol('context');

/** Marks a save by the migration, which may make what is still there in plaintext. */
export const FROM_PLAINTEXT = Symbol('from plaintext');
