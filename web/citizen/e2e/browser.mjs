/** The phone: Debian's Chromium with a fake camera, looked at on three screens in two languages, and judged by axe. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import qrcode from 'qrcode-generator';
import { OUT } from './stage.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Which screens are looked at: `all`, their names with commas between them, or `no`. */
const LOOK = (process.env.KYSO_LOOK ?? 'all').split(',');
const SIZES = [
  { width: 320, height: 568 },
  { width: 360, height: 640 },
  { width: 768, height: 1024 },
];

/** An invented card whose code says `text`, as a camera would see it: a file of one JPEG, over and over. */
export async function cardVideo(text, path) {
  const code = qrcode(0, 'M');
  qrcode.stringToBytes = (letters) => Array.from(new TextEncoder().encode(letters));
  code.addData(text);
  code.make();
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  await page.setContent(`<body style="margin:0;background:#445;font:26px sans-serif"><div style="position:absolute;
    left:170px;top:60px;width:940px;height:600px;border-radius:30px;background:#dcebe4">
    <p style="position:absolute;left:40px;top:20px"><b>THẺ MẪU</b> · không phải của ai<br>CARD OF NOBODY</p>
    <div style="position:absolute;left:60px;top:200px;width:210px;height:300px;background:#9ab"></div>
    <p style="position:absolute;left:310px;top:420px">079 190 000 001<br>NGUYỄN THỊ HỒNG ÁNH</p>
    <div style="position:absolute;left:470px;top:20px;width:400px;background:#fff;padding:16px">
    ${code.createSvgTag({ cellSize: 7, margin: 0, scalable: true })}</div></div>`);
  const frame = await page.screenshot({ type: 'jpeg', quality: 90 });
  await browser.close();
  writeFileSync(path, Buffer.concat(Array.from({ length: 4 }, () => frame)));
  return frame;
}

/** What axe has against a page. */
export async function judged(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  const nothing = found.passes.length < 10 ? ['axe looked at nothing'] : [];
  return nothing.concat(
    found.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
    ),
  );
}

export async function phone(stage, video) {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      ...(video ? [`--use-file-for-fake-video-capture=${video}`] : []),
    ],
  });
  const context = await browser.newContext({ viewport: SIZES[1], locale: 'vi-VN', baseURL: stage.url });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    // A refusal of the server is not a fault of the page.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'blob:' && protocol !== 'data:' && origin !== stage.url) {
      complaints.push(`a request to ${origin}`);
    }
  });
  const violations = [];
  let count = 0;

  /** Looks at the screen in both languages on three sizes, and has axe judge each language. */
  const look = async (name) => {
    await page.mouse.move(0, 0);
    count += 1;
    const number = String(count).padStart(2, '0');
    if (!LOOK.includes('all') && !LOOK.includes(name)) {
      return;
    }
    for (const language of ['vi', 'en']) {
      await page.locator('footer button[lang]').click();
      // The first press leads to English, so the order is English, then back to Vietnamese.
      const shown = language === 'vi' ? 'en' : 'vi';
      await page.waitForFunction((wanted) => document.documentElement.lang === wanted, shown);
      for (const size of SIZES) {
        await page.setViewportSize(size);
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        if (wide > 0) {
          violations.push(`${name} ${shown} ${size.width}: ${wide} px wider than the screen`);
        }
        const path = join(OUT, `${number}-${name}-${shown}-${size.width}.png`);
        await page.screenshot({ path, fullPage: true });
      }
      await page.setViewportSize(SIZES[0]);
      await judge(`${name} ${shown}`);
    }
    await page.setViewportSize(SIZES[1]);
  };
  const judge = async (name) => {
    for (const violation of await judged(page)) {
      violations.push(`${name}: ${violation}`);
    }
  };
  const press = (name) => page.getByRole('button', { name, exact: true }).click();
  const follow = (name) => page.getByRole('link', { name, exact: true }).click();
  return {
    browser,
    context,
    page,
    complaints,
    violations,
    look,
    press,
    follow,
    heading: (text) => page.getByRole('heading', { level: 1, name: text }).waitFor({ timeout: 20_000 }),
    pin: async (digits, tab = page) => {
      for (const digit of digits) {
        await tab.getByRole('button', { name: digit, exact: true }).click();
      }
    },
    /** Looks at every page of every document on the screen. */
    seeDocuments: async (tab = page) => {
      const documents = tab.locator('section.document:not(.blind)');
      await documents.first().waitFor({ timeout: 20_000 });
      for (const document of await documents.all()) {
        for (let at = 1, last = 1; at <= last; at += 1) {
          const picture = document.getByRole('img', { name: new RegExp(`trang ${at} trên`) });
          await picture.waitFor({ timeout: 20_000 });
          last = Number(/trên (\d+)$/.exec(await picture.getAttribute('alt'))[1]);
          if (at < last) {
            await document.getByRole('button', { name: 'Trang sau', exact: true }).click();
          }
        }
        await document.getByText('Đã xem hết').waitFor();
      }
    },
  };
}
