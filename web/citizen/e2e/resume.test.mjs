/** Begun on one phone, lost, gone on with on another: by telephone number, code and identity number, and by nothing less. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { phone } from './browser.mjs';
import { OUT, setUp } from './stage.mjs';

const NUMBER = '079190000004';
const TO = '+84903000004';

let stage;
let lost;
let hand;

before(async () => {
  stage = await setUp();
  lost = await phone(stage);
  hand = await phone(stage);
});

after(async () => {
  await hand?.page.screenshot({ path: join(OUT, 'resume-last.png'), fullPage: true }).catch(() => undefined);
  await lost?.browser.close();
  await hand?.browser.close();
  stage?.stop();
});

/** As far as the payment: the owner is in the dossier. */
async function begin({ page, press, follow, heading }) {
  await page.goto('/c/vuon-lai-2026');
  await press('Bắt đầu đăng ký');
  await press('Chọn gói này');
  await page.getByLabel('Số điện thoại').fill('0903000004');
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  await page.getByLabel('Mã kích hoạt').fill(await stage.code(TO));
  await press('Xác nhận');
  await follow('Nhập bằng tay');
  for (const [label, value] of [
    ['Họ và tên', 'Nguyễn Thị Mẫu'],
    ['Số Căn cước', NUMBER],
    ['Ngày sinh', '15081990'],
    ['Ngày cấp thẻ', '20/05/2022'],
    ['Số nhà, đường, tổ, thôn', '12 Đường Mẫu'],
  ]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await page.getByRole('radio', { name: 'Nữ' }).check();
  await page.getByLabel('Tỉnh, thành phố').selectOption('79');
  await page.getByLabel('Xã, phường, đặc khu').selectOption('27190');
  await press('Thông tin đúng, tiếp tục');
  await heading('Thanh toán');
}

test('another phone goes on with the enrolment, and the first one is shut out', {
  timeout: 240_000,
}, async () => {
  await begin(lost);
  const { page, press, follow, heading, look } = hand;
  await page.goto('/');
  await follow('Đã có chữ ký số');
  await heading('Đã có chữ ký số');
  await page.getByText('Điện thoại này chưa gắn với chữ ký số nào.').waitFor();
  await look('mine');
  await page.getByRole('link', { name: /Làm tiếp hồ sơ đang dở/ }).click();
  await heading('Làm tiếp trên điện thoại này');
  await page.getByLabel('Số điện thoại').fill('12');
  await press('Gửi mã');
  await page.getByRole('link', { name: 'Số điện thoại cần 10 số và bắt đầu bằng 0.' }).waitFor();
  await look('resume-phone');
  let sent = await stage.count(TO);
  await page.getByLabel('Số điện thoại').fill('0903 000 004');
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  let code = await stage.code(TO, sent);
  // Away to the messages, and the page is gone meanwhile.
  await page.reload();
  await heading(/Nhập mã 6 số/);
  await page.getByLabel('Mã kích hoạt').fill('12');
  await page.getByLabel('Số Căn cước').fill('0791');
  await press('Làm tiếp hồ sơ');
  await page.getByRole('link', { name: 'Mã có đúng 6 chữ số.' }).waitFor();
  await look('resume-code');
  await page.getByLabel('Mã kích hoạt').fill(code === '000001' ? '000002' : '000001');
  await page.getByLabel('Số Căn cước').fill(NUMBER);
  await press('Làm tiếp hồ sơ');
  await page.getByText(/Mã chưa đúng\. Còn 4 lần thử\./).waitFor();

  // The right code with somebody else's number opens nothing, and is spent.
  await page.getByLabel('Mã kích hoạt').fill(code);
  await page.getByLabel('Số Căn cước').fill('079190000005');
  await press('Làm tiếp hồ sơ');
  await heading('Không có hồ sơ đang dở');
  await look('resume-none');
  sent = await stage.count(TO);
  await page.getByRole('button', { name: 'Gửi mã và nhập lại', exact: true }).click({ timeout: 90_000 });
  await heading(/Nhập mã 6 số/);
  code = await stage.code(TO, sent);
  await page.getByLabel('Mã kích hoạt').fill(code);
  await page.getByLabel('Số Căn cước').fill(NUMBER);
  await press('Làm tiếp hồ sơ');
  await heading('Thanh toán');
  await press('Nhận gói này');
  await heading('Chụp 3 ảnh');

  // What was sent once is not asked for again, and nothing of the code is left here.
  const kept = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('kyso', 1);
        opening.onsuccess = () => {
          const table = opening.result.transaction('kept').objectStore('kept');
          const reading = table.getAll();
          reading.onsuccess = () => resolve(JSON.stringify(reading.result));
        };
      }),
  );
  assert.ok(!kept.includes(code) && !kept.includes('resend_at'), kept);

  await lost.page.reload();
  await lost.heading('Không mở lại được hồ sơ này');
  await lost.look('resume-lost');
  await lost.page.getByRole('link', { name: 'Làm tiếp hồ sơ đang dở' }).waitFor();
});

test('a phone that lost everything but knows no number is told what to do', { timeout: 90_000 }, async () => {
  const { page, heading, look } = hand;
  await page.context().clearCookies();
  await page.evaluate(() => indexedDB.deleteDatabase('kyso'));
  await page.goto('/lock');
  await heading('Khóa ngay');
  await page.getByText(/không khóa được từ đây/).waitFor();
  await look('lock-elsewhere');
  await page.goto('/unlock');
  await heading('Mở khóa hoặc thu hồi');
  await look('unlock');
});

test('nothing was reported on the console, and axe has nothing to say', () => {
  assert.deepEqual(hand.complaints.concat(lost.complaints), []);
  assert.deepEqual(hand.violations.concat(lost.violations), []);
});
