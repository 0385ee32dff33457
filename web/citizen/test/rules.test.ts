import { describe, expect, it } from 'vitest';
import { readCard } from '../src/rules/card';
import { emailFault, phoneFault, tidyPhone } from '../src/rules/contact';
import { type Day, dayInVietnam, printDay, readDay, wireDay } from '../src/rules/date';
import { readLine, readName } from '../src/rules/name';
import { ageOn, cardExpiresOn, readNumber } from '../src/rules/number';
import { EMPTY, type OwnerForm, ownerFaults } from '../src/rules/owner';

const day = (text: string) => readDay(text) as Day;

describe('names', () => {
  it('decomposed and precomposed input become the same letters', () => {
    for (const [typed, stored] of [
      ['Nguye\u0302\u0303n Thi\u0323 Ho\u0302\u0300ng Ha\u0323nh', 'Nguyễn Thị Hồng Hạnh'],
      ['Le\u0323\u0302', 'Lệ'],
      ['Le\u0302\u0323', 'Lệ'],
      ['To\u031b\u0301', 'Tớ'],
      [' H’Hen Niê ', "H'Hen Niê"],
      ['Y Ka\u0306m', 'Y Kăm'],
    ] as const) {
      expect(readName(typed)).toEqual({ text: stored });
    }
  });

  it('a refusal names the rule', () => {
    for (const [typed, code] of [
      ['Nguyễn Vӑn An', 'foreign-script'],
      ['Trần\u200bBình', 'invisible'],
      ['Lê  Minh', 'double-space'],
      ['Ðặng Thu', 'lookalike'],
      ['Lê Minh 2', 'digit'],
      ['', 'required'],
      ['   ', 'required'],
      ['-', 'symbol'],
      ['Lê\tMinh', 'control'],
      ['Lê\u00a0Minh', 'space'],
      ['Nguye\u0303\u0302n', 'mark'],
      ['Łukasz', 'letter'],
      ['李明', 'foreign-script'],
      ['Lê @ Minh', 'symbol'],
    ] as const) {
      expect(readName(typed), typed).toEqual({ code });
    }
  });

  it('sixty-four characters pass and one more does not', () => {
    expect(readName('ệ'.repeat(64))).toHaveProperty('text');
    expect(readName('ệ'.repeat(65))).toEqual({ code: 'too-long' });
    expect(readName(`${'ệ'.repeat(63)}e\u0301`)).toHaveProperty('text');
  });

  it('an address line takes digits and punctuation but no hidden characters', () => {
    expect(readLine('410–412 Ngô Gia Tự, tổ 5 (hẻm 12/3)')).toHaveProperty('text');
    for (const line of ['a\u202eb', 'a\nb', 'Đường Ленина', '']) {
      expect(readLine(line)).toHaveProperty('code');
    }
  });
});

describe('the identity number', () => {
  it('says sex and year', () => {
    for (const [number, birthYear, sex] of [
      ['079060000001', 1960, 'male'],
      ['079185000001', 1985, 'female'],
      ['001200000001', 2000, 'male'],
      ['096310000001', 2010, 'female'],
      ['101499000001', 2199, 'male'],
    ] as const) {
      expect(readNumber(number)).toEqual({ birthYear, sex });
    }
  });

  it('is refused with its rule when malformed', () => {
    for (const [number, code] of [
      ['', 'required'],
      ['07920000000', 'length'],
      ['0792000000012', 'length'],
      ['079200000o01', 'digits'],
      ['079 20000001', 'digits'],
      ['０79200000001', 'digits'],
      ['024000001', 'cmnd-not-accepted'],
      ['000200000001', 'place-unknown'],
      ['003200000001', 'place-unknown'],
      ['100200000001', 'place-unknown'],
      ['999200000001', 'place-unknown'],
    ] as const) {
      expect(readNumber(number), number).toBe(code);
    }
  });

  it('of provinces that no longer exist still counts', () => {
    for (const place of ['002', '006', '035', '074', '095']) {
      expect(readNumber(`${place}200000001`)).toHaveProperty('birthYear');
    }
  });

  it('a card expires on the next threshold unless issued within two years before', () => {
    for (const [birth, issued, expires] of [
      ['2000-05-10', '2021-05-10', '2025-05-10'],
      ['2000-05-10', '2023-05-09', '2025-05-10'],
      ['2000-05-10', '2023-05-10', '2040-05-10'],
      ['1985-03-07', '2021-06-01', '2025-03-07'],
      ['1985-03-07', '2024-06-01', '2045-03-07'],
      ['1960-08-15', '2021-01-01', undefined],
      ['1960-08-15', '2018-08-15', undefined],
      ['1960-08-15', '2018-08-14', '2020-08-15'],
      ['2012-02-29', '2016-01-01', '2026-02-28'],
      ['2012-02-29', '2025-01-01', '2037-02-28'],
    ] as const) {
      expect(cardExpiresOn(day(birth), day(issued)), `${birth} ${issued}`).toEqual(
        expires === undefined ? undefined : day(expires),
      );
    }
  });

  it('age counts whole years', () => {
    expect(ageOn(day('2012-11-23'), day('2026-11-22'))).toBe(13);
    expect(ageOn(day('2012-11-22'), day('2026-11-22'))).toBe(14);
  });
});

describe('days', () => {
  it('are read as people write them', () => {
    for (const typed of ['15/08/1960', '15 08 1960', '15081960', '15/8/1960', ' 1960-08-15 ', '15-08-1960']) {
      expect(wireDay(day(typed)), typed).toBe('1960-08-15');
    }
    expect(printDay(day('1960-08-05'))).toBe('05/08/1960');
    for (const typed of ['', '31/02/2020', '29/02/2021', '00/01/2000', '15/13/2000', '1960', '08/15/1960']) {
      expect(readDay(typed), typed).toBeUndefined();
    }
  });

  it('begin at midnight in Vietnam', () => {
    expect(wireDay(dayInVietnam(Date.UTC(2026, 10, 21, 17, 0)))).toBe('2026-11-22');
    expect(wireDay(dayInVietnam(Date.UTC(2026, 10, 21, 16, 59)))).toBe('2026-11-21');
  });
});

describe('contact', () => {
  it('a mobile number', () => {
    expect(tidyPhone('+84 911 222 333')).toBe('0911222333');
    expect(tidyPhone('0911.222.333')).toBe('0911222333');
    for (const [phone, code] of [
      ['0911222333', undefined],
      ['', 'required'],
      ['911222333', 'phone-form'],
      ['09112223334', 'phone-form'],
      ['091122233', 'phone-form'],
      ['09112223３3', 'phone-form'],
      ['0281234567', 'not-mobile'],
      ['0011222333', 'not-mobile'],
    ] as const) {
      expect(phoneFault(phone), phone).toBe(code);
    }
  });

  it('an e-mail address is optional and plain', () => {
    for (const email of ['', 'Hanh.Nguyen+ky@Example.VN']) {
      expect(emailFault(email)).toBeUndefined();
    }
    for (const email of [
      'hanh',
      'hanh@',
      '@example.vn',
      'hanh@example',
      'ha nh@example.vn',
      'hanh@exa_mple.vn',
      'hanh@-a.vn',
      'a@b@c.vn',
      'a..b@c.vn',
      '.a@c.vn',
      'hanh@example.vn\r\nBcc: x@y.vn',
      'hạnh@example.vn',
      'a@1.2.3.4',
    ]) {
      expect(emailFault(email), email).toBe('email-form');
    }
    expect(emailFault(`a@${'b'.repeat(260)}.vn`)).toBe('too-long');
  });
});

describe("the card's QR code", () => {
  const said = '079190000001|024000001|Nguyễn Thị Hồng Ánh|15081990|Nữ|12 Đường Mẫu, Tổ 3|20052022';

  it('fills the form', () => {
    expect(readCard(said)).toEqual({
      identity_number: '079190000001',
      full_name: 'Nguyễn Thị Hồng Ánh',
      birth_date: '15/08/1990',
      sex: 'female',
      detail: '12 Đường Mẫu, Tổ 3',
      issue_date: '20/05/2022',
      issue_place: 'Cục Cảnh sát quản lý hành chính về trật tự xã hội',
    });
  });

  it('is read with an empty or absent old number, and with more fields at the end', () => {
    for (const variant of [
      said.replace('024000001', ''),
      said.replace('024000001|', ''),
      `${said}|Nguyễn Văn A|Trần Thị B`,
    ]) {
      expect(readCard(variant)).toMatchObject({ full_name: 'Nguyễn Thị Hồng Ánh', issue_date: '20/05/2022' });
    }
  });

  it('another QR is none', () => {
    for (const other of [
      '',
      'https://example.vn/',
      '0|1|2|3|4|5|6',
      'x|y|Nam',
      said.replace('15081990', '99999999'),
    ]) {
      expect(readCard(other), other).toBeUndefined();
    }
  });
});

describe('the form', () => {
  const today = day('2026-11-22');
  const good: OwnerForm = {
    ...EMPTY,
    full_name: 'Nguyễn Thị Hồng Ánh',
    identity_number: '079190000001',
    birth_date: '15/08/1990',
    sex: 'female',
    issue_date: '20/05/2022',
    issue_place: 'Bộ Công an',
    province_code: '79',
    commune_code: '27190',
    detail: '12 Đường Mẫu',
  };
  const codes = (change: Partial<OwnerForm>, phone = '0903000001') =>
    ownerFaults({ ...good, ...change }, phone, today).map(({ field, code }) => `${field} ${code}`);

  it('without fault passes', () => {
    expect(codes({})).toEqual([]);
  });

  it('names every broken rule at once', () => {
    expect(codes({ ...EMPTY }, '')).toEqual([
      'full_name required',
      'identity_number required',
      'birth_date required',
      'sex required',
      'issue_date required',
      'issue_place required',
      'phone required',
      'address.province_code required',
      'address.commune_code required',
      'address.detail required',
    ]);
  });

  it('compares number, birth, sex and card', () => {
    expect(codes({ sex: 'male' })).toEqual(['sex sex-mismatch']);
    expect(codes({ birth_date: '15/08/1991' })).toEqual(['birth_date birth-year-mismatch']);
    expect(codes({ issue_date: '01/12/2026' })).toEqual(['issue_date in-future']);
    expect(codes({ issue_date: '31/12/2015' })).toEqual(['issue_date before-first-card']);
    expect(codes({ issue_date: '15/08/1989' })).toEqual(['issue_date before-birth']);
    expect(
      codes({ identity_number: '079185000001', birth_date: '07/03/1985', issue_date: '01/06/2021' }),
    ).toEqual(['issue_date card-expired']);
    expect(codes({ identity_number: '079000000001', birth_date: '07/03/1900', sex: 'male' })).toContain(
      'birth_date too-old',
    );
  });
});
