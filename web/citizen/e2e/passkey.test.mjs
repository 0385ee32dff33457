/** A phone with a passkey: bound by it, opened by it, signing by it; two tabs; and five wrong PINs, which lock for good. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cardVideo, phone } from './browser.mjs';
import { approve, ask, OUT, PORTAL, setUp } from './stage.mjs';

const PIN = '729461';
const NUMBER = '079060000002';

let stage;
let hand;
let authenticator;

before(async () => {
  stage = await setUp();
  hand = await phone(stage, undefined);
  const devtools = await hand.context.newCDPSession(hand.page);
  await devtools.send('WebAuthn.enable');
  const added = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  });
  authenticator = {
    verifies: (isUserVerified) =>
      devtools.send('WebAuthn.setUserVerified', { authenticatorId: added.authenticatorId, isUserVerified }),
  };
});

after(async () => {
  await hand?.page.screenshot({ path: join(OUT, 'passkey-last.png'), fullPage: true }).catch(() => undefined);
  await hand?.browser.close();
  stage?.stop();
});

test('typed by hand, bound by a passkey', { timeout: 120_000 }, async () => {
  const { page, press, follow, heading, look } = hand;
  const photo = join(stage.directory, 'photo.jpg');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(photo, await cardVideo('nobody', join(stage.directory, 'unused.mjpeg')));
  await page.goto('/');
  await heading('Chữ ký số của công dân');
  await press('Bắt đầu đăng ký');
  await page.getByRole('radio').nth(1).check();
  await press('Chọn gói này');
  await page.getByLabel('Số điện thoại').fill('0903000002');
  await press('Nhận mã qua email');
  await page.getByLabel('Email').fill('ong-ba@thu.example');
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  await page.getByLabel('Mã kích hoạt').fill(await stage.code('ong-ba@thu.example'));
  await press('Xác nhận');
  await heading('Quét thẻ Căn cước');
  await follow('Nhập bằng tay');
  await heading('Thông tin trên thẻ');
  for (const [label, value] of [
    ['Họ và tên', 'Trần Văn Mẫu'],
    ['Số Căn cước', NUMBER],
    ['Ngày sinh', '15081960'],
    ['Ngày cấp thẻ', '20/05/2022'],
    ['Số nhà, đường, tổ, thôn', '12 Đường Mẫu'],
    ['Email (không bắt buộc)', 'ong-ba@thu.example'],
  ]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await page.getByRole('radio', { name: 'Nam' }).check();
  await page.getByLabel('Tỉnh, thành phố').selectOption('79');
  await page.getByLabel('Xã, phường, đặc khu').selectOption('27190');
  await press('Thông tin đúng, tiếp tục');
  await press('Nhận gói này');
  await page.getByRole('checkbox').check();
  await press('Bắt đầu chụp');
  for (const title of ['Mặt trước thẻ', 'Mặt sau thẻ', 'Khuôn mặt']) {
    await heading(title);
    await page.getByLabel('Chọn ảnh có sẵn').setInputFiles(photo);
    await press('Dùng ảnh này');
  }
  await heading('Hợp đồng dịch vụ');
  await hand.seeDocuments();
  await page.getByRole('checkbox').check();
  await press('Ký hợp đồng');
  await press('Gửi hồ sơ');
  await heading('Hồ sơ đang được kiểm tra');
  const [, id] = /"(enr_\w+)"/.exec(
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('kyso', 1);
          opening.onsuccess = () => {
            const reading = opening.result.transaction('kept').objectStore('kept').get('enrolment');
            reading.onsuccess = () => resolve(JSON.stringify(reading.result));
          };
        }),
    ),
  );
  await approve(stage, id);
  await heading('Dùng khóa màn hình của điện thoại');
  await look('passkey');
  await press('Bật vân tay hoặc khuôn mặt');
  await heading('Gắn chữ ký số với điện thoại này');
  let before = await stage.count('ong-ba@thu.example');
  await press('Gửi mã');
  const right = await stage.code('ong-ba@thu.example', before);
  const wrong = right === '000001' ? '000002' : '000001';
  await page.getByLabel('Mã gắn điện thoại').fill(wrong);
  await press('Tiếp tục đặt mã PIN');
  await hand.pin(PIN);
  await heading('Nhập lại mã PIN');
  await hand.pin(PIN);
  await page.getByText('Mã chưa đúng hoặc đã hết hạn.').waitFor({ timeout: 20_000 });
  await look('binding-wrong');
  before = await stage.count('ong-ba@thu.example');
  await page.getByRole('button', { name: 'Gửi mã', exact: true }).click({ timeout: 60_000 });
  const code = await stage.code('ong-ba@thu.example', before);
  await page.getByLabel('Mã gắn điện thoại').fill(code);
  await press('Tiếp tục đặt mã PIN');
  await heading('Đặt mã PIN 6 số để ký');
  await hand.pin(PIN);
  await heading('Nhập lại mã PIN');
  await hand.pin(PIN);
  await press('Đúng, ký nghiệm thu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký nghiệm thu');
  await hand.pin(PIN);
  await heading('Chữ ký số đã hoạt động');
  await page.goto('/settings');
  await page.getByText('Khóa bằng vân tay, khuôn mặt hoặc mã mở máy, và mã PIN').waitFor();
});

test('without the owner at the passkey nothing is signed, and nobody is asked again and again', {
  timeout: 60_000,
}, async () => {
  const { page, press, heading } = hand;
  const made = await ask(stage, NUMBER, ['Tờ khai'], 'passkey-1');
  await page.goto(`/requests/${made.id}`);
  await press('Xem tài liệu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký 1 tài liệu');
  await authenticator.verifies(false);
  await hand.pin(PIN);
  await page.getByText(/Cần vân tay, khuôn mặt hoặc mã mở máy/).waitFor();
  const { state } = await (await stage.portal(`/signature-requests/${made.id}`)).json();
  assert.equal(state, 'pending');
  await authenticator.verifies(true);
  await hand.pin(PIN);
  await heading(/Đã ký xong lúc/);
});

test('withdrawn while the PIN is typed: nothing is signed, and going back does not bring it to life', {
  timeout: 60_000,
}, async () => {
  const { page, press, heading } = hand;
  const made = await ask(stage, NUMBER, ['Tờ khai'], 'tabs-1');
  await page.goto(`/requests/${made.id}`);
  await press('Xem tài liệu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký 1 tài liệu');
  const withdrawn = await stage.portal(`/signature-requests/${made.id}/withdrawal`, {
    method: 'POST',
    body: '{}',
  });
  assert.equal(withdrawn.status, 200);
  await hand.pin(PIN);
  await heading('Yêu cầu đã được rút lại');
  await page.goBack();
  await page.goForward();
  await heading('Yêu cầu đã được rút lại');
});

test('five wrong PINs lock the key, and the screens say so', { timeout: 90_000 }, async () => {
  const { page, press, heading, look } = hand;
  const made = await ask(stage, NUMBER, ['Tờ khai'], 'lock-1');
  await page.goto(`/requests/${made.id}`);
  await heading(`${PORTAL} yêu cầu ký`);
  await press('Xem tài liệu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  for (const left of [4, 3, 2, 1]) {
    await heading('Nhập mã PIN để ký 1 tài liệu');
    await hand.pin('111222');
    await page.getByText(`Mã PIN chưa đúng. Còn ${left} lần.`).waitFor();
  }
  await hand.pin('111222');
  await page.getByText('Đã khóa vì nhập sai mã PIN 5 lần.').first().waitFor();
  await look('pin-locked');
  await page.goto('/home');
  await page.getByText('Đã khóa vì nhập sai mã PIN 5 lần').waitFor();
});

test('nothing was reported on the console, and axe has nothing to say', () => {
  assert.deepEqual(hand.complaints, []);
  assert.deepEqual(hand.violations, []);
});
