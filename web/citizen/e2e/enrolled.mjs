/** The short way to a phone that can sign: everything typed, no picture looked at. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cardVideo } from './browser.mjs';
import { approve } from './stage.mjs';

const MAIL = 'ong-ba@thu.example';

export async function enrolled(stage, hand, { name, number, pin }) {
  const { page, press, follow, heading } = hand;
  const photo = join(stage.directory, 'photo.jpg');
  writeFileSync(photo, await cardVideo('nobody', join(stage.directory, 'unused.mjpeg')));
  await page.goto('/');
  await press('Bắt đầu đăng ký');
  await page.getByRole('radio').first().check();
  await press('Chọn gói này');
  await page.getByLabel('Số điện thoại').fill('0903000003');
  await press('Nhận mã qua email');
  await page.getByLabel('Email').fill(MAIL);
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  await page.getByLabel('Mã kích hoạt').fill(await stage.code(MAIL));
  await press('Xác nhận');
  await follow('Nhập bằng tay');
  await heading('Thông tin trên thẻ');
  for (const [label, value] of [
    ['Họ và tên', name],
    ['Số Căn cước', number],
    ['Ngày sinh', '15081990'],
    ['Ngày cấp thẻ', '20/05/2022'],
    ['Số nhà, đường, tổ, thôn', '12 Đường Mẫu'],
    ['Email (không bắt buộc)', MAIL],
  ]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await page.getByRole('radio', { name: 'Nữ' }).check();
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
  const kept = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('kyso', 1);
        opening.onsuccess = () => {
          const reading = opening.result.transaction('kept').objectStore('kept').get('enrolment');
          reading.onsuccess = () => resolve(JSON.stringify(reading.result));
        };
      }),
  );
  await approve(stage, /"(enr_\w+)"/.exec(kept)[1]);
  await heading('Gắn chữ ký số với điện thoại này');
  const before = await stage.count(MAIL);
  await press('Gửi mã');
  await page.getByLabel('Mã gắn điện thoại').fill(await stage.code(MAIL, before));
  await press('Tiếp tục đặt mã PIN');
  for (const title of ['Đặt mã PIN 6 số để ký', 'Nhập lại mã PIN']) {
    await heading(title);
    await hand.pin(pin);
  }
  await press('Đúng, ký nghiệm thu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký nghiệm thu');
  await hand.pin(pin);
  await heading('Chữ ký số đã hoạt động');
}
