export { systemClock, type Clock } from './clock.ts';
export { ERROR_CODES, KeyfoldError, isKeyfoldError, type ErrorCode } from './errors.ts';
