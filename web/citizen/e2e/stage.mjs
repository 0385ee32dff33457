/**
 * The stage of the end-to-end tests: an empty folder becomes a provider, with the real `kyso` and the application inside it, a
 * catcher for mail and SMS, one portal, one campaign, one officer. Everything is done through the doors people use.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stand } from './between.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARIES = process.env.KYSO_BINARIES ?? join(ROOT, 'target/debug');
export const OUT = process.env.KYSO_SHOTS ?? fileURLToPath(new URL('./out/', import.meta.url));
mkdirSync(OUT, { recursive: true });

export const PORTAL = 'Cổng dịch vụ công Tỉnh Sông Lam';

export async function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

export async function until(what, look, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'kyso-web-'));
  const [port, operator, web] = [await freePort(), await freePort(), await freePort()];
  const api = `http://127.0.0.1:${port}`;
  const url = `http://localhost:${web}`;
  const kyso = (...args) => {
    const done = spawnSync(join(BINARIES, 'kyso'), args, { cwd: directory, encoding: 'utf8' });
    if (done.status !== 0) {
      throw new Error(`kyso ${args.join(' ')}: ${done.stderr}${done.stdout}`);
    }
    return done.stdout;
  };

  const catcher = spawn(join(BINARIES, 'kyso-catcher'), ['--smtp-port', '0', '--http-port', '0']);
  let said = '';
  catcher.stdout.on('data', (text) => {
    said += text;
  });
  await until('the catcher', async () => said.includes('inbox'));
  const smtp = /smtp:\/\/(.*):(\d+)/.exec(said);
  const sms = /SMS\s+(\S+)/.exec(said)[1];
  const inbox = /inbox\s+(\S+)/.exec(said)[1];

  kyso(
    'init',
    '--public-url',
    url,
    '--listen',
    `127.0.0.1:${port}`,
    '--metrics-listen',
    `127.0.0.1:${operator}`,
  );
  const config = readFileSync(join(directory, 'kyso.toml'), 'utf8');
  writeFileSync(
    join(directory, 'kyso.toml'),
    `${config}
[mail]
host = "${smtp[1]}"
port = ${smtp[2]}
tls = "none"

[sms]
url = "${sms}"
token_file = "sms.token"

[webhook]
danger_allow_private_addresses = true
`,
  );
  writeFileSync(join(directory, 'sms.token'), 'catcher');
  kyso('ceremony', 'run');
  kyso('ceremony', 'export', '--file', 'chain.pem');
  const portal = JSON.parse(
    kyso('portal', 'add', '--name', PORTAL, '--client-id', 'cong-song-lam', '--json'),
  );
  kyso('portal', 'return', 'cong-song-lam', '--to', 'cong.example');
  const campaign = readFileSync(join(ROOT, 'docs/samples/campaign.toml'), 'utf8');
  writeFileSync(
    join(directory, 'campaign.toml'),
    campaign.replace('area = [', 'free_portals = ["cong-song-lam"]\narea = ['),
  );
  kyso('campaign', 'add', 'campaign.toml');
  const officer = kyso(
    ...['officer', 'add', '--name', 'Trần Văn Mẫu', '--identity-number', '079085000099'],
    ...['--role', 'vetter', '--quiet'],
  ).trim();

  const server = spawn(join(BINARIES, 'kyso'), ['serve'], { cwd: directory, stdio: 'ignore' });
  await until('the server', async () => (await fetch(`http://127.0.0.1:${operator}/readyz`)).ok);
  const faults = {};
  const leave = await stand(web, api, faults);

  return {
    api,
    url,
    directory,
    faults,
    kyso,
    /** How many messages went to this address. */
    count: async (to) => {
      const { messages } = await (await fetch(`${inbox}messages?to=${encodeURIComponent(to)}`)).json();
      return messages.length;
    },
    /** The newest code of six digits that was sent to this address. */
    code: (to, after = 0) =>
      until(`a code to ${to}`, async () => {
        const { messages } = await (await fetch(`${inbox}messages?to=${encodeURIComponent(to)}`)).json();
        const fresh = messages.slice(after);
        return /\b\d{6}\b/.exec(fresh[fresh.length - 1]?.text ?? '')?.[0];
      }),
    portal: (path, options = {}) => {
      const basic = Buffer.from(`${portal.client_id}:${portal.secret}`).toString('base64');
      return fetch(`${api}/v1${path}`, {
        ...options,
        headers: { authorization: `Basic ${basic}`, 'content-type': 'application/json', ...options.headers },
      });
    },
    /** What the officer posts to approve a dossier with these photos, signed with the key that `kyso officer add` wrote. */
    sign: (dossier, photos) => {
      const options = { cwd: directory, encoding: 'utf8', input: dossier };
      const words = ['officer', 'sign', '--yes', '--photos', photos];
      const done = spawnSync(join(BINARIES, 'kyso'), words, options);
      if (done.status !== 0) {
        throw new Error(`kyso officer sign: ${done.stderr}`);
      }
      return JSON.parse(done.stdout);
    },
    officer: async (path, method = 'POST', body = undefined) => {
      const answer = await fetch(`${api}/v1/ra/enrolments/${path}`, {
        method,
        headers: { authorization: `Bearer ${officer}`, ...(body && { 'content-type': 'application/json' }) },
        body: body && JSON.stringify(body),
      });
      if (!answer.ok) {
        throw new Error(`${path}: ${await answer.text()}`);
      }
      return answer;
    },
    stop: () => {
      leave();
      server.kill('SIGTERM');
      catcher.kill('SIGTERM');
    },
  };
}

/** An officer looks at everything and approves. */
export async function approve(stage, id) {
  const dossier = await (await stage.officer(`${id}/lock`)).text();
  const photos = mkdtempSync(join(stage.directory, 'photos-'));
  for (const kind of ['front', 'back', 'face']) {
    const photo = await stage.officer(`${id}/evidence/${kind}`, 'GET');
    writeFileSync(join(photos, `${kind}.jpg`), Buffer.from(await photo.arrayBuffer()));
  }
  await stage.officer(`${id}/approval`, 'POST', stage.sign(dossier, photos));
}

/** A portal asks for a signature over PDFs with these titles. */
export async function ask(stage, identityNumber, titles, key) {
  const answer = await stage.portal('/signature-requests', {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: JSON.stringify({
      signer: { identity_number: identityNumber },
      description: 'Nộp hồ sơ đăng ký hộ kinh doanh',
      return_url: 'https://cong.example/ho-so/1',
      documents: titles.map((title) => ({
        name: `${title}.pdf`,
        content: pdf(title).toString('base64'),
      })),
    }),
  });
  const made = await answer.json();
  if (!answer.ok) {
    throw new Error(JSON.stringify(made));
  }
  return made;
}

/** The smallest PDF with two pages of text, in a font that every reader has. */
function pdf(title) {
  const text = title.normalize('NFD').replace(/[^ -~]/g, '');
  const page = (content) =>
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents ${content} 0 R /Resources << /Font << /F1 7 0 R >> >> >>`;
  const drawing = (words) => {
    const stream = `BT /F1 24 Tf 72 700 Td (${words}) Tj ET`;
    return `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`;
  };
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>',
    page(5),
    page(6),
    drawing(text),
    drawing(`${text}, 2`),
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  let body = '%PDF-1.7\n';
  const places = objects.map((object, at) => {
    const place = body.length;
    body += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return place;
  });
  const start = body.length;
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  body += places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
  body += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(body, 'latin1');
}
