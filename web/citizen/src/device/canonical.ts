/**
 * Canonical JSON (RFC 8785) of what statements hold: objects, arrays, strings, integers. `JSON.stringify` already writes
 * strings and integers as the standard asks (sections 3.2.2.2 and 3.2.2.3, which quote ECMAScript); names are sorted
 * by UTF-16 code units (section 3.2.3), which is what `sort` does.
 */

export type Json = string | number | Json[] | { [name: string]: Json };

export function canonical(value: Json): string {
  if (typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError('a statement holds integers only');
    }
    return String(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(',')}]`;
  }
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`);
  return `{${members.join(',')}}`;
}
