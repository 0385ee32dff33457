import { describe, expect, it } from 'vitest';
import type { Enrolment, SignatureRequest } from '../src/api/types';
import { judge } from '../src/camera/picture';
import { en } from '../src/messages/en';
import { vi } from '../src/messages/vi';
import { match } from '../src/router';
import { isReturnable } from '../src/screens/confirm';
import { inAppBrowser } from '../src/screens/landing';
import { type Draft, fits, nextScreen, ownerOf } from '../src/state/enrolment';
import { channelOf, isUnopened, requestInQr } from '../src/state/opening';

const row = (state: string, ...next: string[]) => ({ state, next }) as unknown as Enrolment;

describe('the way through the enrolment', () => {
  it('follows what the server says comes next', () => {
    for (const [state, next, screen] of [
      ['started', ['contact', 'activation'], '/enrol/phone'],
      ['started', ['activation', 'owner'], '/enrol/code'],
      ['started', ['owner', 'payment'], '/enrol/card'],
      ['started', ['photo:back', 'photo:face', 'contract'], '/enrol/photos'],
      ['started', ['submit'], '/enrol/submit'],
      ['submitted', ['wait-vetting'], '/enrol/waiting'],
      ['supplement', ['photo:front'], '/enrol/supplement'],
      ['approved', ['wait-certificate'], '/enrol/waiting'],
      ['certified', ['device'], '/enrol/pin'],
      ['accepting', ['acceptance'], '/enrol/acceptance'],
      ['complete', [], '/home'],
      ['rejected', [], '/enrol/ended'],
      ['expired', [], '/enrol/ended'],
    ] as const) {
      expect(nextScreen(row(state, ...next)), `${state} ${next}`).toBe(screen);
    }
  });

  it('a screen opens again only while it has something to do', () => {
    expect(fits('/enrol/details', row('started', 'owner'))).toBe(true);
    expect(fits('/enrol/details', row('supplement', 'repair:full_name'))).toBe(true);
    expect(fits('/enrol/details', row('submitted', 'wait-vetting'))).toBe(false);
    expect(fits('/enrol/contract', row('started', 'photo:face', 'contract'))).toBe(true);
    expect(fits('/enrol/pin', row('rejected'))).toBe(false);
  });

  it('says where the data came from', () => {
    const form = { full_name: 'Nguyễn Thị Hồng Ánh', identity_number: '079190000001' };
    const of = (read: Draft['read']) =>
      ownerOf({ phone: '0903000001', email: '', read, form: { ...ownerForm, ...form } }).source;
    expect(of(undefined)).toBe('typed');
    expect(of(form)).toBe('qr');
    expect(of({ ...form, full_name: 'Nguyễn Thị Hồng Anh' })).toBe('qr-edited');
  });
});

const ownerForm = {
  full_name: '',
  identity_number: '',
  birth_date: '15/08/1990',
  sex: 'female' as const,
  issue_date: '20/05/2022',
  issue_place: 'Bộ Công an',
  email: '',
  province_code: '79',
  commune_code: '27190',
  detail: '12 Đường Mẫu',
};

describe('addresses', () => {
  it('a pattern leaves one part open', () => {
    expect(match('/c/*', '/c/vuon-lai-2026')).toBe('vuon-lai-2026');
    expect(match('/c/*', '/c/a%20b')).toBe('a b');
    for (const other of ['/c/', '/c/a/b', '/d/a', '/c/%']) {
      expect(match('/c/*', other), other).toBeUndefined();
    }
    expect(match('/home', '/home')).toBe('');
    expect(match('/home', '/homes')).toBeUndefined();
  });

  it('only a request of this very site is followed from a QR', () => {
    const here = 'https://ky.example';
    const proof = 'q.1795384800.AbCdEfGhIjKlMn-_';
    expect(requestInQr(`${here}/requests/req_01ABC`, here)).toEqual({ id: 'req_01ABC', proof: undefined });
    expect(requestInQr(`${here}/requests/req_01ABC#${proof}`, here)).toEqual({ id: 'req_01ABC', proof });
    for (const other of [
      'https://ky.example.evil/requests/req_01ABC',
      'https://evil/https://ky.example/requests/req_01ABC',
      `${here}/requests/../lock`,
      `${here}/requests/req_01ABC?pin=1`,
      `${here}/requests/req_01ABC#q.1795384800.short`,
      `${here}/requests/req_01ABC#x.1795384800.AbCdEfGhIjKlMn-_`,
      'req_01ABC',
    ]) {
      expect(requestInQr(other, here), other).toBeUndefined();
    }
  });

  it('a request on a screen is opened before the PIN, and its statement says by which way', () => {
    const request = (more: object) =>
      ({ kind: 'portal', state: 'pending', on_screen: false, ...more }) as unknown as SignatureRequest;
    expect(isUnopened(request({}))).toBe(false);
    expect(isUnopened(request({ on_screen: true }))).toBe(true);
    expect(isUnopened(request({ on_screen: true, channel: 'qr' }))).toBe(false);
    expect(isUnopened(request({ on_screen: true, state: 'refused' }))).toBe(false);
    expect(channelOf(request({}))).toBe('push');
    expect(channelOf(request({ on_screen: true, channel: 'qr' }))).toBe('qr');
    expect(channelOf(request({ kind: 'acceptance' }))).toBe('same-device');
  });

  it('a portal may send people to its page or app, never to a script', () => {
    for (const url of ['https://cong.example/ho-so/1', 'vn.portal.app:done', 'http://localhost:3000/']) {
      expect(isReturnable(url), url).toBe(true);
    }
    for (const url of [
      undefined,
      '',
      '/x',
      'javascript:alert(1)',
      'JavaScript://x%0aalert(1)',
      'data:text/html,x',
      ' https://x',
    ]) {
      expect(isReturnable(url), url).toBe(false);
    }
  });

  it("an application's own browser is known by its name", () => {
    expect(inAppBrowser('Mozilla/5.0 (Linux; Android 9) Chrome/92 Mobile Zalo android/1')).toBe('Zalo');
    expect(inAppBrowser('Mozilla/5.0 (iPhone) Mobile/15E148 [FBAN/FBIOS;FBAV/400]')).toBe('Facebook');
    expect(inAppBrowser('Mozilla/5.0 (Linux; Android 9) Chrome/92 Mobile Safari/537.36')).toBeUndefined();
  });
});

describe('the quality of a picture', () => {
  const size = 80;
  const picture = (light: (x: number, y: number) => number) => {
    const rgba = new Uint8ClampedArray(size * size * 4);
    for (let at = 0; at < size * size; at++) {
      rgba.fill(light(at % size, Math.floor(at / size)), at * 4, at * 4 + 3);
    }
    return judge(rgba, size, size);
  };

  it('writing on a card is fine', () => {
    const quality = picture((x, y) => (((x >> 1) + (y >> 1)) % 3 === 0 ? 60 : 190));
    expect(quality).toEqual({ isDark: false, hasGlare: false, isBlurred: false });
  });

  it('dark, blurred and burnt out are told apart', () => {
    expect(picture((x) => (x % 4) * 10).isDark).toBe(true);
    expect(picture((x) => 80 + x).isBlurred).toBe(true);
    expect(
      picture((x, y) => (x > 20 && x < 60 && y > 30 && y < 50 ? 255 : (x % 2) * 150 + 40)).hasGlare,
    ).toBe(true);
  });

  it('the white squares of a QR code are no glare', () => {
    expect(picture((x, y) => (((x >> 2) + (y >> 2)) % 2 === 0 ? 255 : 0)).hasGlare).toBe(false);
  });
});

describe('words', () => {
  const keys = (value: unknown, path = ''): string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, part]) => keys(part, `${path}.${name}`))
      : [path];

  it('both languages have the same, the open lists included', () => {
    expect(keys(en)).toEqual(keys(vi));
  });

  it('Vietnamese never shouts: no exclamation mark, no capitals', () => {
    const text = JSON.stringify(vi);
    expect(text).not.toContain('!');
    expect(text).not.toMatch(/\b(?!PIN|PDF|QR|SHA|KB|MB)[A-ZĐ]{3,}\b/);
  });
});
