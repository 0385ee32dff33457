/**
 * The personal identification number: 12 digits that say where, in which century, of which sex and in which year a person was
 * registered (Decree 137/2015/NĐ-CP art. 13); and when a card ends (Law on Identification 2023 art. 21). By the rules of
 * crates/registration/src/citizen/number.rs.
 */

import type { Day } from './date';

export type Sex = 'male' | 'female';

export interface NumberSays {
  birthYear: number;
  sex: Sex;
}

/** The 63 provinces of 2008 to 2025, by their place code: a number is kept for life. */
const PROVINCES = [
  1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38, 40, 42,
  44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77, 79, 80, 82, 83, 84, 86,
  87, 89, 91, 92, 93, 94, 95, 96,
];

/** What the number says, or the stable code of the rule it breaks. */
export function readNumber(text: string): NumberSays | string {
  if (text === '') {
    return 'required';
  }
  if (!/^[0-9]+$/.test(text)) {
    return 'digits';
  }
  if (text.length !== 12) {
    return text.length === 9 ? 'cmnd-not-accepted' : 'length';
  }
  const place = Number(text.slice(0, 3));
  if (!(place >= 101 && place <= 399) && !PROVINCES.includes(place)) {
    return 'place-unknown';
  }
  const centuryAndSex = Number(text.charAt(3));
  return {
    birthYear: 1900 + 100 * Math.floor(centuryAndSex / 2) + Number(text.slice(4, 6)),
    sex: centuryAndSex % 2 === 0 ? 'male' : 'female',
  };
}

export function ageOn(birth: Day, today: Day): number {
  const had = today.month > birth.month || (today.month === birth.month && today.day >= birth.day);
  return today.year - birth.year - (had ? 0 : 1);
}

/**
 * When a card issued on `issued` stops being valid; `undefined` = never. A card is replaced at 14, 25, 40 and 60; one
 * issued within the two years before such a birthday serves until the next.
 */
export function cardExpiresOn(birth: Day, issued: Day): Day | undefined {
  const age = [14, 25, 40, 60].find((threshold) => isBefore(issued, birthday(birth, threshold - 2)));
  return age === undefined ? undefined : birthday(birth, age);
}

export function isBefore(one: Day, other: Day): boolean {
  return one.year * 10_000 + one.month * 100 + one.day < other.year * 10_000 + other.month * 100 + other.day;
}

/** 28 February for the leap day in a common year. */
function birthday(birth: Day, age: number): Day {
  const year = birth.year + age;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return { year, month: birth.month, day: birth.month === 2 && birth.day === 29 && !leap ? 28 : birth.day };
}
