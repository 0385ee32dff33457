/**
 * Names and lines of an address, by the rules of the server (crates/registration/src/citizen/name.rs): the letters of
 * Vietnamese and of the Latin alphabets of Vietnam's other peoples, in normalisation form C. The server is the judge; this
 * tells people before they send.
 */

/** `ub-common-name`, RFC 5280 appendix A.1, in characters. */
export const NAME_CHARACTERS_MAX = 64;
export const LINE_CHARACTERS_MAX = 120;

/** The stable code of the first rule that a text breaks, or the text as it will be stored. */
export type Read = { text: string } | { code: string };

export function readName(typed: string): Read {
  const name = normalised(typed);
  const letters = Array.from(name);
  if (letters.length === 0) {
    return { code: 'required' };
  }
  if (letters.length > NAME_CHARACTERS_MAX) {
    return { code: 'too-long' };
  }
  const code = firstFault(letters, '');
  if (code !== undefined) {
    return { code };
  }
  return " '-".includes(letters[0] ?? '') ? { code: 'symbol' } : { text: name };
}

export function readLine(typed: string): Read {
  const line = normalised(typed);
  const letters = Array.from(line);
  if (letters.length === 0) {
    return { code: 'required' };
  }
  if (letters.length > LINE_CHARACTERS_MAX) {
    return { code: 'too-long' };
  }
  const code = firstFault(letters, '0123456789,./()#&;:+"–');
  return code === undefined ? { text: line } : { code };
}

/** NFC, without plain spaces at the ends, with the straight apostrophe of cards (H’Hen → H'Hen). */
export function normalised(typed: string): string {
  return typed
    .replace(/^ +| +$/g, '')
    .normalize('NFC')
    .replace(/’/g, "'");
}

function firstFault(letters: string[], plain: string): string | undefined {
  let before = '';
  for (const letter of letters) {
    const code = plain.includes(letter) ? undefined : faultOf(letter, before);
    if (code !== undefined) {
      return code;
    }
    before = letter;
  }
  return undefined;
}

const NAME_LETTERS = 'ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯưÑñČčĔĕĬĭŎŏŬŭɃƀ';
/** Latin letters that a reader takes for one of ours: eth and African D for Đ, dotless i, long s and the like. */
const LOOKALIKES = 'ÐðƉɖƊɗıĸŉſɑɡɩƖǀ';

function faultOf(letter: string, before: string): string | undefined {
  const code = letter.codePointAt(0) ?? 0;
  const within = (from: number, to: number) => code >= from && code <= to;
  if (letter === ' ') {
    return before === ' ' ? 'double-space' : undefined;
  }
  if (letter === "'" || letter === '-' || /[A-Za-z]/.test(letter)) {
    return undefined;
  }
  if (NAME_LETTERS.includes(letter) || within(0x1ea0, 0x1ef9)) {
    return undefined;
  }
  if (within(0x00, 0x1f) || within(0x7f, 0x9f)) {
    return 'control';
  }
  if (isInvisible(code)) {
    return 'invisible';
  }
  if (/\s/.test(letter)) {
    return 'space';
  }
  // Ê Đê and Gia Rai write breves on vowels for which Unicode has no single character.
  if (letter === '\u0306' && before !== '' && 'êôơưÊÔƠƯ'.includes(before)) {
    return undefined;
  }
  if (within(0x300, 0x36f) || within(0x1ab0, 0x1aff) || within(0x1dc0, 0x1dff) || within(0x20d0, 0x20ff)) {
    return 'mark';
  }
  if (within(0x30, 0x39)) {
    return 'digit';
  }
  if (LOOKALIKES.includes(letter)) {
    return 'lookalike';
  }
  const hasCases = letter.toLowerCase() !== letter.toUpperCase();
  if (within(0xc0, 0x24f) || within(0x1e00, 0x1eff)) {
    return hasCases ? 'letter' : 'symbol';
  }
  return hasCases || code > 0x2fff ? 'foreign-script' : 'symbol';
}

/** Characters that show nothing or reorder what is shown (UTS #39 5.1, UAX #9). */
function isInvisible(code: number): boolean {
  const ranges = [
    [0xad, 0xad],
    [0x34f, 0x34f],
    [0x61c, 0x61c],
    [0x115f, 0x1160],
    [0x17b4, 0x17b5],
    [0x180b, 0x180f],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x206f],
    [0x2800, 0x2800],
    [0x3164, 0x3164],
    [0xfe00, 0xfe0f],
    [0xfeff, 0xfeff],
    [0xffa0, 0xffa0],
    [0xfff0, 0xfffc],
    [0xe0000, 0xe0fff],
  ];
  return ranges.some(([from = 0, to = 0]) => code >= from && code <= to);
}
