/** From the printed link to the signed dossier, as a person does it; then refusing, a wrong PIN, a lost network, the lock. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cardVideo, phone } from './browser.mjs';
import { approve, ask, OUT, PORTAL, setUp, until } from './stage.mjs';

const PIN = '729461';
const NUMBER = '079190000001';
const CARD = `${NUMBER}||Nguyễn Thị Hồng Ánh|15081990|Nữ|12 Đường Mẫu, Tổ 3|20052022`;

let stage;
let hand;

before(async () => {
  stage = await setUp();
  const video = join(stage.directory, 'card.mjpeg');
  const frame = await cardVideo(CARD, video);
  writeFileSync(join(stage.directory, 'card.jpg'), frame);
  hand = await phone(stage, video);
});

after(async () => {
  await hand?.browser.close();
  stage?.stop();
});

/** Each scene needs the one before; when one fails, how the screen looked then is kept. */
let isBroken = false;
const scene = (name, options, play) =>
  test(name, options, async (context) => {
    if (isBroken) {
      context.skip('an earlier scene failed');
      return;
    }
    try {
      await play();
    } catch (error) {
      isBroken = true;
      await hand?.page.screenshot({ path: join(OUT, 'failed.png'), fullPage: true }).catch(() => undefined);
      throw error;
    }
  });

const ticket = () =>
  hand.page.evaluate(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('kyso', 1);
        opening.onsuccess = () => {
          const reading = opening.result.transaction('kept').objectStore('kept').get('enrolment');
          reading.onsuccess = () => resolve(reading.result);
        };
      }),
  );

scene('a person enrols from the printed link to the active signature', { timeout: 240_000 }, async () => {
  const { page, press, follow, heading, look } = hand;
  await page.goto('/c/vuon-lai-2026');
  await heading('Chữ ký số miễn phí 12 tháng cho người dân Phường Vườn Lài');
  await look('landing');
  await press('Bắt đầu đăng ký');
  await heading('Chọn gói');
  await page.getByRole('radio').first().waitFor();
  await look('plan');
  await press('Chọn gói này');

  await heading('Số điện thoại của ông/bà');
  await page.getByLabel('Số điện thoại').fill('090300');
  await press('Gửi mã');
  await page.getByRole('link', { name: 'Số điện thoại cần 10 số và bắt đầu bằng 0.' }).waitFor();
  await look('phone-error');
  await page.getByLabel('Số điện thoại').fill('0903 000 001');
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  await look('code');
  const code = await stage.code('+84903000001');
  const wrong = code === '000001' ? '000002' : '000001';
  await page.getByLabel('Mã kích hoạt').fill(wrong);
  await press('Xác nhận');
  await page.getByText(/Mã chưa đúng\. Còn \d lần thử\./).waitFor();
  await page.getByLabel('Mã kích hoạt').fill(code);
  await press('Xác nhận');

  await heading('Quét thẻ Căn cước');
  await look('card');
  await press('Mở máy ảnh');
  await heading('Kiểm tra thông tin');
  await page.getByText('Nguyễn Thị Hồng Ánh').waitFor();
  await look('details-read');
  await press('Thông tin đúng, tiếp tục');
  await page.getByRole('heading', { name: 'Có mục cần sửa' }).waitFor();
  await look('details-errors');
  await press('Sửa');
  await look('details-edit');
  await page.getByLabel('Tỉnh, thành phố').selectOption('79');
  await page.getByLabel('Xã, phường, đặc khu').selectOption('27190');

  // The battery dies; what was typed is still there.
  await page.reload();
  await heading('Kiểm tra thông tin');
  const commune = page.getByLabel('Xã, phường, đặc khu');
  await commune.getByRole('option', { name: 'Phường Vườn Lài' }).waitFor({ state: 'attached' });
  assert.equal(await commune.inputValue(), '27190');
  await press('Thông tin đúng, tiếp tục');

  await heading('Thanh toán');
  await look('payment');
  await press('Nhận gói này');
  await heading('Chụp 3 ảnh');
  await look('photos');
  await press('Bắt đầu chụp');
  await page.getByText('Không có đồng ý thì không thể xác minh từ xa.').waitFor();
  await page.getByRole('checkbox').check();
  await press('Bắt đầu chụp');

  for (const [title, name] of [
    ['Mặt trước thẻ', 'front'],
    ['Mặt sau thẻ', 'back'],
  ]) {
    await heading(title);
    await press('Mở máy ảnh');
    await page.getByRole('button', { name: 'Chụp', exact: true }).waitFor();
    await page.locator('.live-hint').filter({ hasText: /\S/ }).waitFor();
    await look(`photo-${name}`);
    await press('Chụp');
    await page.getByRole('button', { name: 'Dùng ảnh này' }).waitFor();
    await look(`photo-${name}-review`);
    await press('Dùng ảnh này');
  }
  await heading('Khuôn mặt');
  await look('photo-face');
  await page.getByLabel('Chọn ảnh có sẵn').setInputFiles(join(stage.directory, 'card.jpg'));
  await press('Dùng ảnh này');

  await heading('Hợp đồng dịch vụ');
  await page.getByRole('img', { name: /trang 1 trên/ }).waitFor({ timeout: 60_000 });
  await press('Ký hợp đồng');
  await page.getByText('Xem hết các trang hợp đồng rồi mới ký được.').waitFor();
  await look('contract');
  await hand.seeDocuments();
  await page.getByRole('checkbox').check();
  await press('Ký hợp đồng');
  await heading('Gửi hồ sơ');
  await look('submit');
  await press('Gửi hồ sơ');
  await heading('Hồ sơ đang được kiểm tra');
  await look('waiting');

  const { id } = await ticket();
  await stage.officer(`${id}/lock`);
  await stage.officer(`${id}/supplement`, 'POST', {
    asks: [{ piece: 'photo:back', reason: 'image-blurred' }],
  });
  await heading('Cần bổ sung 1 mục');
  await look('supplement');
  await follow('Chụp lại');
  await heading('Mặt sau thẻ');
  await page.getByLabel('Chọn ảnh có sẵn').setInputFiles(join(stage.directory, 'card.jpg'));
  await press('Dùng ảnh này');
  await heading('Gửi hồ sơ');
  await press('Gửi hồ sơ');
  await heading('Hồ sơ đang được kiểm tra');

  await approve(stage, id);
  await heading('Gắn chữ ký số với điện thoại này');
  await look('binding-ask');
  const before = await stage.count('+84903000001');
  await press('Gửi mã');
  await heading(/Nhập mã 6 số/);
  // Away to the messages; a phone with little memory has dropped the page meanwhile.
  await page.reload();
  await heading(/Nhập mã 6 số/);
  await look('binding-code');
  await page.getByLabel('Mã gắn điện thoại').fill(await stage.code('+84903000001', before));
  await press('Tiếp tục đặt mã PIN');
  await heading('Đặt mã PIN 6 số để ký');
  await look('pin');
  await hand.pin('123456');
  await page.getByText(/Mã dễ đoán\. Tránh số liên tiếp/).waitFor();
  await hand.pin('150890');
  await page.getByText(/Mã dễ đoán\. Tránh ngày sinh/).waitFor();
  await hand.pin(PIN);
  await heading('Nhập lại mã PIN');
  await hand.pin('729462');
  await page.getByText('Hai lần nhập chưa giống nhau.').waitFor();
  await hand.pin(PIN);
  await heading('Nhập lại mã PIN');
  await hand.pin(PIN);
  await heading('Chứng thư số đã sẵn sàng');
  await page.getByRole('button', { name: 'Đúng, ký nghiệm thu' }).waitFor({ timeout: 60_000 });
  await page.getByText('Nguyễn Thị Hồng Ánh').waitFor();
  await look('acceptance');
  await press('Đúng, ký nghiệm thu');
  await heading('Xem trước khi ký');
  await hand.seeDocuments();
  await look('acceptance-document');
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký nghiệm thu');
  await hand.pin(PIN);
  await heading('Chữ ký số đã hoạt động');
  await look('accepted');
  await follow('Về trang chính');
  await heading('Chữ ký số của tôi');
  await page.getByText('Đang hoạt động').waitFor();
  await look('home-empty');
});

scene('the person signs two documents, and pdfsig accepts them', { timeout: 120_000 }, async () => {
  const { page, press, heading, look } = hand;
  const made = await ask(stage, NUMBER, ['Tờ khai', 'Bản cam kết'], 'sign-1');
  await page.getByRole('link', { name: new RegExp(PORTAL) }).waitFor({ timeout: 15_000 });
  await look('home');
  await page.getByRole('link', { name: new RegExp(PORTAL) }).click();
  await heading(`${PORTAL} yêu cầu ký`);
  await look('confirm-who');
  await press('Xem tài liệu');
  await heading('Xem trước khi ký');
  await page.getByText(made.code).waitFor();
  await page
    .getByRole('img', { name: /trang 1 trên 2/ })
    .nth(1)
    .waitFor();
  await press('Đã xem, tiếp tục ký');
  await page.getByText('Xem hết các trang rồi mới ký được.').waitFor();
  await look('confirm-what');
  await hand.seeDocuments();
  await page.getByRole('button', { name: 'Đã xem, tiếp tục ký' }).click();
  await heading('Nhập mã PIN để ký 2 tài liệu');
  await look('confirm-pin');

  await hand.pin('111222');
  await page.getByText('Mã PIN chưa đúng. Còn 4 lần.').waitFor({ timeout: 20_000 });
  await look('confirm-wrong-pin');
  await hand.pin(PIN);
  await heading(/Đã ký xong lúc/);
  await look('result');

  for (const position of [0, 1]) {
    const signed = await stage.portal(`/signature-requests/${made.id}/documents/${position}`);
    const path = join(stage.directory, `signed-${position}.pdf`);
    writeFileSync(path, Buffer.from(await signed.arrayBuffer()));
    const judged = spawnSync('pdfsig', ['-nocert', path], { encoding: 'utf8' });
    assert.match(judged.stdout, /Signature is Valid/);
  }
});

scene(
  'after the PIN the answer is lost: the server is asked, the person is not',
  {
    timeout: 60_000,
  },
  async () => {
    const { page, press, heading } = hand;
    const made = await ask(stage, NUMBER, ['Đơn thứ hai'], 'sign-2');
    await page.goto(`/requests/${made.id}`);
    await press('Xem tài liệu');
    await hand.seeDocuments();
    await press('Đã xem, tiếp tục ký');
    await heading('Nhập mã PIN để ký 1 tài liệu');
    stage.faults.mute = (incoming) => incoming.url.endsWith('/approval');
    await hand.pin(PIN);
    await heading(/Đã ký xong lúc/);
    stage.faults.mute = undefined;

    // Another tab that still stands at the PIN signs nothing: it is told what happened.
    const tabs = await ask(stage, NUMBER, ['Đơn hai tab'], 'sign-tabs');
    const second = await hand.context.newPage();
    for (const tab of [page, second]) {
      await tab.goto(`/requests/${tabs.id}`);
      await tab.getByRole('button', { name: 'Xem tài liệu' }).click();
      await hand.seeDocuments(tab);
      await tab.getByRole('button', { name: 'Đã xem, tiếp tục ký' }).click();
      await tab.getByRole('heading', { name: 'Nhập mã PIN để ký 1 tài liệu' }).waitFor();
    }
    await hand.pin(PIN, page);
    await heading(/Đã ký xong lúc/);
    await hand.pin(PIN, second);
    await second.getByRole('heading', { name: /Đã ký xong lúc/ }).waitFor();
    await second.close();

    // A session that ended is opened again by the device key, without a word.
    await hand.context.clearCookies();
    const other = await ask(stage, NUMBER, ['Đơn thứ ba'], 'sign-3');
    await page.goto(`/requests/${other.id}`);
    await press('Xem tài liệu');
    await hand.seeDocuments();
    await press('Đã xem, tiếp tục ký');
    await heading('Nhập mã PIN để ký 1 tài liệu');
    stage.faults.offline = true;
    await hand.pin(PIN);
    await page.getByText(/Mất mạng/).waitFor();
    stage.faults.offline = false;
    const { state } = await (await stage.portal(`/signature-requests/${other.id}`)).json();
    assert.equal(state, 'pending');
  },
);

scene('the person refuses in two taps and sees it in the history', { timeout: 60_000 }, async () => {
  const { page, press, heading, look } = hand;
  const made = await ask(stage, NUMBER, ['Giấy lạ'], 'refuse-1');
  await page.goto(`/requests/${made.id}`);
  await heading(`${PORTAL} yêu cầu ký`);
  await press('Tôi không yêu cầu việc này');
  await heading('Từ chối yêu cầu này?');
  await look('refuse');
  await press('Tôi không yêu cầu việc này');
  await heading('Đã từ chối');
  await look('refused');
  await until('the refusal', async () => {
    const { state } = await (await stage.portal(`/signature-requests/${made.id}`)).json();
    return state === 'refused';
  });
  await page.goto('/history');
  await page
    .getByRole('link', { name: /Đã từ chối/ })
    .first()
    .waitFor();
  await look('history');
});

scene('the history has the signed file and its proof, for its signer', { timeout: 90_000 }, async () => {
  const { page, follow, heading, look } = hand;
  await page.goto('/history');
  const rows = page.locator('ul.rows li');
  await rows.first().waitFor();
  const all = await rows.count();
  await page.getByRole('radio', { name: 'Không ký', exact: true }).check({ force: true });
  await until('the refused one alone', async () => (await rows.count()) === 1);
  await page.getByRole('radio', { name: 'Đã ký', exact: true }).check({ force: true });
  await until('the signed ones', async () => (await rows.count()) === all - 1);
  await page.locator('ul.rows a', { hasText: PORTAL }).last().click();
  await heading(PORTAL);
  await page.getByText('Điện thoại này đã tự tính lại: khớp.').waitFor({ timeout: 15_000 });
  await page.getByText('Chi tiết kỹ thuật').click();
  await page.getByText('Dấu niêm phong (SHA-256)').waitFor();
  const first = page.locator('section.document').first();
  await first.getByRole('button', { name: 'Tải tệp đã ký' }).click();
  const save = first.getByRole('link', { name: 'Lưu tệp về máy' });
  await save.waitFor();
  await look('record');
  const [download] = await Promise.all([page.waitForEvent('download'), save.click()]);
  assert.equal(download.suggestedFilename(), 'Tờ khai (đã ký).pdf');
  const path = join(stage.directory, 'own-copy.pdf');
  await download.saveAs(path);
  const judged = spawnSync('pdfsig', ['-nocert', path], { encoding: 'utf8' });
  assert.match(judged.stdout, /Signature is Valid/);
  const [kept] = await Promise.all([page.waitForEvent('download'), follow('Tải bằng chứng')]);
  await kept.saveAs(join(stage.directory, 'proof.json'));
  const proof = JSON.parse(readFileSync(join(stage.directory, 'proof.json'), 'utf8'));
  assert.match(proof.checkpoint, /ledger\n\d+\n/);

  // A server that answers with another ledger is found out here.
  await page.route('**/proof', async (route) => {
    const answer = await route.fetch();
    const forged = { ...(await answer.json()), previous: '00'.repeat(32) };
    await route.fulfill({ response: answer, json: forged });
  });
  await page.reload();
  await page.getByText('Bằng chứng không khớp.').waitFor({ timeout: 15_000 });
  await look('record-mismatch');
  await page.unroute('**/proof');
});

scene('another PIN, with the one in force; then the old one is void', { timeout: 60_000 }, async () => {
  const { page, press, follow, heading, look } = hand;
  const fresh = '246803';
  await page.goto('/settings');
  await follow('Đổi mã PIN');
  await heading('Nhập mã PIN đang dùng');
  await look('change-pin');
  for (const current of ['111222', PIN]) {
    await hand.pin(current);
    await heading('Đặt mã PIN 6 số để ký');
    await hand.pin('123456');
    await page.getByText(/Mã dễ đoán/).waitFor();
    await hand.pin(fresh);
    await heading('Nhập lại mã PIN');
    await hand.pin(fresh);
    if (current !== PIN) {
      await page.getByText('Mã PIN chưa đúng. Còn 4 lần.').waitFor();
    }
  }
  await heading('Đã đổi mã PIN');
  await look('changed-pin');
  const made = await ask(stage, NUMBER, ['Tờ khai mới'], 'fresh-pin');
  await page.goto(`/requests/${made.id}`);
  await press('Xem tài liệu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký 1 tài liệu');
  await hand.pin(PIN);
  await page.getByText('Mã PIN chưa đúng. Còn 4 lần.').waitFor();
  await hand.pin(fresh);
  await heading(/Đã ký xong lúc/);
});

scene('the other screens stand, and the lock asks for no PIN', { timeout: 60_000 }, async () => {
  const { page, press, follow, heading, look } = hand;
  for (const [path, name] of [
    ['/settings', 'settings'],
    ['/verify', 'verify'],
    ['/scan', 'scan'],
    ['/change-device', 'change-device'],
    ['/unlock', 'unlock'],
    ['/no-such-page', 'missing'],
  ]) {
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await look(name);
  }
  const left = await hand.context.newPage();
  await left.clock.install();
  await left.goto('/home');
  await left.getByText('Đang hoạt động').waitFor();
  await left.clock.fastForward('02:10');
  await left.getByRole('heading', { name: 'Trang đã tự ẩn' }).waitFor();
  assert.equal(await left.getByText('Đang hoạt động').count(), 0);
  await left.getByRole('button', { name: 'Xem tiếp' }).click();
  await left.getByText('Đang hoạt động').waitFor();
  await left.close();

  await page.goto('/home');
  await follow('Khóa ngay');
  await heading('Khóa chữ ký số ngay?');
  await look('lock');
  await press('Khóa ngay');
  await heading('Đã khóa');
  await look('locked');
  await follow('Về trang chính');
  await page.getByText('Đang tạm khóa').waitFor();
  await look('home-locked');
});

scene(
  'without a network the application opens and says so, and goes on by itself',
  { timeout: 60_000 },
  async () => {
    const { page, context } = hand;
    await page.goto('/home');
    await page.getByText('Đang tạm khóa').waitFor();
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.reload();
    await page.getByText('Đang tạm khóa').waitFor();
    await context.setOffline(true);
    await page.reload();
    await page.getByText(/Mất mạng/).waitFor();
    await context.setOffline(false);
    await page.getByText('Đang tạm khóa').waitFor({ timeout: 20_000 });
  },
);

scene('with large letters nothing is wider than the screen', { timeout: 60_000 }, async () => {
  const { page } = hand;
  await page.setViewportSize({ width: 320, height: 568 });
  await page.goto('/home');
  await page.getByRole('button', { name: /Chữ to/ }).click();
  for (const path of ['/home', '/settings', '/c/vuon-lai-2026', '/history', '/lock', '/unlock', '/resume']) {
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(wide, 0, path);
    await page.screenshot({ path: join(OUT, `big${path.replace(/\//g, '-')}.png`), fullPage: true });
  }
});

test('nothing was reported on the console, no third party was asked, and axe has nothing to say', () => {
  assert.deepEqual(hand.complaints, []);
  assert.deepEqual(hand.violations, []);
});
