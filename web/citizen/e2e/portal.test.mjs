/**
 * The demo portal beside the phone: a dossier is filed on a computer, the phone reads the code on that screen, the person signs, and
 * the portal offers two PDFs that pdfsig accepts. Then the other ways: two digits, the link on the same device, wrong digits.
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { EXECUTABLE, judged, phone } from './browser.mjs';
import { enrolled } from './enrolled.mjs';
import { BINARIES, freePort, OUT, setUp, until } from './stage.mjs';

const PIN = '729461';
const NUMBER = '079190000001';
const NAME = 'Nguyễn Thị Hồng Ánh';
const PORTAL = 'Cổng dịch vụ công Tỉnh Trà Sơn';

let stage;
let hand;
let desk;
let portal;
let address;
const complaints = [];

before(async () => {
  stage = await setUp();
  hand = await phone(stage);
  await enrolled(stage, hand, { name: NAME, number: NUMBER, pin: PIN });
  const port = await freePort();
  const added = stage.kyso(
    ...['portal', 'add', '--name', PORTAL, '--client-id', 'cong-tra-son'],
    ...['--webhook', `http://127.0.0.1:${port}/webhook`, '--json'],
  );
  const file = join(stage.directory, 'portal.json');
  writeFileSync(file, added);
  const options = ['--credentials', file, '--api', stage.api, '--public', stage.url, '--port', String(port)];
  portal = spawn(join(BINARIES, 'kyso-portal'), options, { stdio: 'ignore' });
  address = `http://localhost:${port}`;
  await until('the portal', async () => (await fetch(`${address}/`)).ok);
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'vi-VN' });
  desk = await context.newPage();
  desk.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  desk.on('pageerror', (error) => complaints.push(String(error)));
});

after(async () => {
  await hand?.browser.close();
  await desk?.context().browser().close();
  portal?.kill('SIGTERM');
  stage?.stop();
});

/** Files a dossier; the page then shows the element. */
async function file(page) {
  await page.goto(`${address}/`);
  await page.getByLabel('Họ và tên').fill(NAME);
  await page.getByLabel('Số Căn cước').fill(NUMBER);
  await page.getByRole('button', { name: 'Nộp hồ sơ và ký' }).click();
  await page.getByText('Chờ điện thoại quét mã.').waitFor();
}

/** The request of the dossier on the page. */
const asked = (page) => new URL(page.url()).pathname.split('/').pop();

/** What the code on the page says, read as a camera would read it; the phone's own reader is used. */
async function readCode(page) {
  const picture = page.getByRole('img', { name: /Mã QR/ });
  await picture.locator('path[d^=M]').waitFor({ state: 'attached' });
  return picture.screenshot();
}

async function signOnPhone(count) {
  const { press, heading } = hand;
  await heading(`${PORTAL} yêu cầu ký`);
  await press('Xem tài liệu');
  await hand.seeDocuments();
  await press('Đã xem, tiếp tục ký');
  return heading(count === 0 ? 'Nhập 2 số trên màn hình kia' : `Nhập mã PIN để ký ${count} tài liệu`);
}

async function looked(page, name) {
  for (const [width, height] of [
    [360, 640],
    [1280, 800],
  ]) {
    await page.setViewportSize({ width, height });
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(wide, 0, `${name} is wider than ${width}`);
    await page.screenshot({ path: join(OUT, `portal-${name}-${width}.png`), fullPage: true });
  }
  assert.deepEqual(await judged(page), [], name);
}

test('the phone reads the code on the portal’s page, and the portal has two signed PDFs', {
  timeout: 240_000,
}, async () => {
  await desk.goto(`${address}/`);
  await looked(desk, 'form');
  await file(desk);
  await looked(desk, 'code');

  const { page, heading } = hand;
  await page.goto('/scan');
  await heading('Quét mã để ký');
  // A picture of the screen, through the way for phones without a live camera: it is read within its three seconds.
  const picture = await readCode(desk);
  await page
    .getByLabel(/Chụp ảnh|Chọn ảnh/)
    .first()
    .setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: picture });
  await heading(`${PORTAL} yêu cầu ký`);
  await desk.getByText('Đã mở trên điện thoại.').waitFor();
  await looked(desk, 'opened');
  await signOnPhone(2);
  await hand.pin(PIN);
  await heading(/Đã ký xong lúc/);

  await desk.getByText('đủ chữ ký').waitFor({ timeout: 20_000 });
  await looked(desk, 'signed');
  for (const position of [0, 1]) {
    const link = desk.getByRole('link', { name: /cơ sở/ }).nth(position);
    const answer = await desk.context().request.get(`${address}${await link.getAttribute('href')}`);
    const path = join(stage.directory, `portal-${position}.pdf`);
    writeFileSync(path, await answer.body());
    const verdict = spawnSync('pdfsig', ['-nocert', path], { encoding: 'utf8' });
    assert.match(verdict.stdout, /Signature is Valid/);
  }
  assert.deepEqual(complaints, []);
});

test('a request from the list wants the two digits of the screen', { timeout: 240_000 }, async () => {
  await file(desk);
  const { page, press, heading, look } = hand;
  await page.goto('/home');
  await page.locator(`a[href="/requests/${asked(desk)}"]`).click();
  await signOnPhone(0);
  await look('digits');
  const shown = await desk.locator('kyso-sign .digits').textContent();
  await page.getByLabel('Hai số').fill(shown === '10' ? '11' : '10');
  await press('Tiếp tục');
  await page.getByText('Số chưa giống. Còn 2 lần.').waitFor();
  await page.getByLabel('Hai số').fill(shown);
  await press('Tiếp tục');
  await heading('Nhập mã PIN để ký 2 tài liệu');
  await hand.pin(PIN);
  await heading(/Đã ký xong lúc/);
  await desk.getByText('đủ chữ ký').waitFor({ timeout: 20_000 });
});

test('the link opens the request on the same device, once', { timeout: 240_000 }, async () => {
  const here = await hand.context.newPage();
  await file(here);
  await looked(here, 'same-device');
  await here.setViewportSize({ width: 360, height: 640 });
  const [tab] = await Promise.all([
    hand.context.waitForEvent('page'),
    here.getByRole('link', { name: 'Ký trên chính thiết bị này' }).click(),
  ]);
  await tab.getByRole('heading', { name: `${PORTAL} yêu cầu ký` }).waitFor();
  assert.equal(new URL(tab.url()).hash, '', 'the proof stays neither in the address nor in the history');
  await here.getByText('Đã mở trên điện thoại.').waitFor();
  await tab.close();
  await here.close();
});

test('three wrong tries refuse the request, and the page says so', { timeout: 240_000 }, async () => {
  await file(desk);
  const { page, press, heading, look } = hand;
  const shown = await desk.locator('kyso-sign .digits').textContent();
  await page.goto('/home');
  await page.locator(`a[href="/requests/${asked(desk)}"]`).click();
  await signOnPhone(0);
  for (const said of ['Còn 2 lần', 'Còn 1 lần', '']) {
    await page.getByLabel('Hai số').fill(shown === '10' ? '11' : '10');
    await press('Tiếp tục');
    if (said !== '') {
      await page.getByText(said).waitFor();
    }
  }
  await heading('Đã từ chối');
  await look('digits-refused');
  await desk.getByText('Yêu cầu đã bị từ chối.').waitFor();
  await looked(desk, 'refused');
  assert.deepEqual(hand.violations, []);
});
