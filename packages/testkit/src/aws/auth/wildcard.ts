/** Whether `value` is one of `patterns`, in which `*` stands for any characters and `?` for any one. */
export function matchesAny(patterns: readonly string[], value: string, letters: 'exact case' | 'ignore case'): boolean {
  return patterns.some((pattern) => toRegExp(pattern, letters).test(value));
}

function toRegExp(pattern: string, letters: 'exact case' | 'ignore case'): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, letters === 'ignore case' ? 'isu' : 'su');
}
