/** A day without time, as people in Vietnam write it (dd/mm/yyyy) and as the wire carries it (yyyy-mm-dd). */

export interface Day {
  year: number;
  month: number;
  day: number;
}

/** `dd/mm/yyyy`, `dd mm yyyy`, `ddmmyyyy` or `yyyy-mm-dd`. */
export function readDay(typed: string): Day | undefined {
  const text = typed.trim();
  const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  const ours = /^(\d{1,2})[/ .-](\d{1,2})[/ .-](\d{4})$/.exec(text) ?? /^(\d{2})(\d{2})(\d{4})$/.exec(text);
  const [year, month, day] = (iso ? iso.slice(1) : (ours?.slice(1).reverse() ?? [])).map(Number);
  if (year === undefined || month === undefined || day === undefined || year < 1) {
    return undefined;
  }
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days ? { year, month, day } : undefined;
}

const two = (number: number) => String(number).padStart(2, '0');

/** `15/08/1960`. */
export function printDay({ year, month, day }: Day): string {
  return `${two(day)}/${two(month)}/${String(year).padStart(4, '0')}`;
}

/** `1960-08-15`. */
export function wireDay({ year, month, day }: Day): string {
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
}

/** The day in Vietnam (UTC+7, no summer time). */
export function dayInVietnam(ms: number): Day {
  const date = new Date(ms + 7 * 3_600_000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}
