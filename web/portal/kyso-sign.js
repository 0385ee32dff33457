/**
 * <kyso-sign src="https://ky.example.vn/v1/screens/req_…" token="…"></kyso-sign>
 *
 * What a portal's page shows while somebody signs on the phone: a QR code that changes each second, a link for the same device,
 * two digits for a phone that found the request in its list, the document code, and how it ends.
 *
 *   src    the screen: of kyso with its token, or an address of the portal's own backend that answers with the same JSON
 *   token  from GET /v1/signature-requests/{id}/screen; never the portal's secret. Left out with a backend of one's own
 *   lang   vi (default) or en; taken from the page when left out
 *
 * Event `kyso-sign` (bubbles) at each change, detail { request, state, channel }. It is a hint to look: what is signed is what the
 * portal's backend hears from kyso. Colour: --kyso-sign-accent.
 *
 * One file, no dependency, nothing inline: a policy needs only script-src and connect-src. ES2017, so that it runs as it stands.
 */
(() => {
  const POLL_MS = 2000;
  const HIDDEN_MS = 5000;
  const SLOWEST_MS = 15000;
  const FRAME_MS = 200;
  /** As long as the server takes a code. */
  const CODE_LIVES_MS = 3000;
  const QUIET = 4;
  const SVG = 'http://www.w3.org/2000/svg';
  const OVER = ['signed', 'delivered', 'refused', 'withdrawn', 'expired', 'failed'];

  const WORDS = {
    vi: {
      title: 'Ký bằng điện thoại',
      steps: ['Mở ứng dụng Ký số trên điện thoại.', 'Bấm “Quét mã để ký” và quét mã này.'],
      picture: 'Mã QR để ký, đổi mỗi giây',
      here: 'Ký trên chính thiết bị này',
      digits: 'Điện thoại hỏi hai số? Nhập',
      code: 'Mã tài liệu, phải giống trên điện thoại',
      left: (time) => `Còn ${time}`,
      loading: 'Đang tải mã…',
      lost: 'Mất kết nối. Đang thử lại…',
      stale: 'Trang đã quá hạn. Tải lại trang để tiếp tục.',
      pending: 'Chờ điện thoại quét mã.',
      opened: 'Đã mở trên điện thoại. Xem tài liệu rồi nhập mã PIN trên điện thoại.',
      approved: 'Đang ký…',
      signed: 'Đã ký xong.',
      refused: 'Yêu cầu đã bị từ chối.',
      withdrawn: 'Yêu cầu đã được rút lại.',
      expired: 'Đã hết thời gian ký.',
      failed: 'Chưa ký được.',
    },
    en: {
      title: 'Sign with your phone',
      steps: ['Open the Ký Số application on your phone.', 'Press “Scan to sign” and scan this code.'],
      picture: 'QR code for signing, new each second',
      here: 'Sign on this device',
      digits: 'Does the phone ask for two digits? Enter',
      code: 'Document code, the same on the phone',
      left: (time) => `${time} left`,
      loading: 'Loading the code…',
      lost: 'No connection. Trying again…',
      stale: 'This page is too old. Load it again to go on.',
      pending: 'Waiting for the phone to scan the code.',
      opened: 'Opened on the phone. Look at the documents there and enter the PIN.',
      approved: 'Signing…',
      signed: 'Signed.',
      refused: 'The request was refused.',
      withdrawn: 'The request was taken back.',
      expired: 'The time to sign is over.',
      failed: 'It could not be signed.',
    },
  };

  const STYLE = `
    :host { display: block; max-width: 24rem; color: #1c2733; line-height: 1.5; }
    :host([hidden]) { display: none; }
    section { box-sizing: border-box; padding: 1.25rem; border: 1px solid #d5dbe3; border-radius: 14px; background: #fff; }
    h2 { margin: 0 0 .5rem; font-size: 1.25em; line-height: 1.3; }
    ol { margin: 0 0 1rem; padding-left: 1.3em; }
    .picture { display: block; width: 100%; max-width: 17rem; height: auto; margin: 0 auto; background: #fff; }
    .status { margin: .75rem 0 0; padding: .6rem .8rem; border-radius: 10px; background: #eef4f8; }
    .status.good { background: #e3f3ea; color: #10512f; font-weight: 600; }
    .status.bad { background: #fdecea; color: #86211a; font-weight: 600; }
    dl { margin: 1rem 0 0; }
    dl div { display: flex; align-items: baseline; justify-content: space-between; padding: .5rem 0; border-top: 1px solid #e6eaef; }
    dt { margin-right: 1rem; }
    dd { margin: 0; font-weight: 700; white-space: nowrap; }
    .digits { font-size: 2em; line-height: 1.1; letter-spacing: .08em; }
    .here { display: block; margin-top: 1rem; padding: .8rem; border: 2px solid var(--kyso-sign-accent, #0b6e72);
      border-radius: 10px; color: var(--kyso-sign-accent, #0b6e72); text-align: center; font-weight: 600; text-decoration: none; }
    .here:focus-visible { outline: 3px solid #1c2733; outline-offset: 2px; }
    .left { margin: .75rem 0 0; color: #55606d; text-align: center; }
    [hidden] { display: none !important; }
    @media (pointer: coarse) {
      .waiting { display: flex; flex-direction: column; }
      .here { order: -1; margin: 0 0 1rem; color: #fff; background: var(--kyso-sign-accent, #0b6e72); }
    }`;

  const make = (tag, name, parent) => {
    const element = document.createElement(tag);
    if (name) {
      element.className = name;
    }
    parent.appendChild(element);
    return element;
  };
  const draw = (tag, attributes, parent) => {
    const element = document.createElementNS(SVG, tag);
    for (const name of Object.keys(attributes)) {
      element.setAttribute(name, attributes[name]);
    }
    parent.appendChild(element);
    return element;
  };

  /** The dark modules as one path. */
  const pathOf = ({ size, modules }) => {
    const bits = atob(modules);
    let path = '';
    for (let at = 0; at < size * size; at += 1) {
      if ((bits.charCodeAt(at >> 3) >> (7 - (at & 7))) & 1) {
        path += `M${at % size} ${Math.floor(at / size)}h1v1h-1z`;
      }
    }
    return path;
  };

  class KysoSign extends HTMLElement {
    static get observedAttributes() {
      return ['src', 'token', 'lang'];
    }

    connectedCallback() {
      this.words = WORDS[this.language()];
      this.build();
      this.frames = setInterval(() => this.tick(), FRAME_MS);
      this.ask();
    }

    disconnectedCallback() {
      clearInterval(this.frames);
      clearTimeout(this.timer);
      this.turn = undefined;
    }

    attributeChangedCallback() {
      if (this.isConnected && this.parts) {
        this.disconnectedCallback();
        this.screen = undefined;
        this.said = undefined;
        this.connectedCallback();
      }
    }

    language() {
      const named = this.closest('[lang]');
      return named && named.getAttribute('lang').toLowerCase().startsWith('en') ? 'en' : 'vi';
    }

    build() {
      const root = this.shadowRoot || this.attachShadow({ mode: 'open' });
      root.textContent = '';
      try {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        root.adoptedStyleSheets = [sheet];
      } catch (_) {
        // An engine without sheets of its own; where a policy forbids this one, the element is plain and works.
        make('style', '', root).textContent = STYLE;
      }
      const section = make('section', '', root);
      make('h2', '', section).textContent = this.words.title;
      const waiting = make('div', 'waiting', section);
      const steps = make('ol', '', waiting);
      for (const step of this.words.steps) {
        make('li', '', steps).textContent = step;
      }
      const picture = draw(
        'svg',
        {
          class: 'picture',
          role: 'img',
          'aria-label': this.words.picture,
          'shape-rendering': 'crispEdges',
          width: 272,
          height: 272,
        },
        waiting,
      );
      const ground = draw('rect', { fill: '#fff', x: -QUIET, y: -QUIET }, picture);
      const modules = draw('path', { fill: '#000' }, picture);
      const here = make('a', 'here', waiting);
      here.textContent = this.words.here;
      here.target = '_blank';
      here.rel = 'noopener';
      const digitsRow = make('dl', '', waiting);
      const digits = this.fact(digitsRow, this.words.digits, 'digits');
      const status = make('p', 'status', section);
      status.setAttribute('role', 'status');
      const code = this.fact(make('dl', '', section), this.words.code, 'code');
      const left = make('p', 'left', section);
      this.drawn = undefined;
      this.parts = { waiting, picture, ground, modules, here, digitsRow, digits, status, code, left };
      this.show();
    }

    fact(list, term, name) {
      const row = make('div', '', list);
      make('dt', '', row).textContent = term;
      return make('dd', name, row);
    }

    ask() {
      const turn = {};
      this.turn = turn;
      const token = this.getAttribute('token');
      const src = this.getAttribute('src');
      if (!src) {
        return;
      }
      const options = token
        ? { headers: { authorization: `Bearer ${token}` }, credentials: 'omit', cache: 'no-store' }
        : { credentials: 'same-origin', cache: 'no-store' };
      fetch(src, options)
        .then((answer) => {
          if (answer.status === 401 || answer.status === 404) {
            return 'stale';
          }
          if (!answer.ok) {
            throw new Error(String(answer.status));
          }
          return answer.json();
        })
        .then(
          (screen) => this.turn === turn && this.take(screen),
          () => this.turn === turn && this.miss(),
        );
    }

    take(screen) {
      this.isLost = false;
      this.misses = 0;
      if (screen === 'stale') {
        this.isStale = true;
        this.screen = undefined;
        this.show();
        return;
      }
      this.isStale = false;
      this.screen = screen;
      // Counted from the answer on: the clock of this computer may be wrong.
      this.skew = screen.now - performance.now();
      this.show();
      this.tell();
      if (!OVER.includes(screen.state)) {
        this.timer = setTimeout(() => this.ask(), document.hidden ? HIDDEN_MS : POLL_MS);
      }
    }

    miss() {
      this.isLost = true;
      this.misses = (this.misses || 0) + 1;
      this.show();
      this.timer = setTimeout(() => this.ask(), Math.min(POLL_MS * this.misses, SLOWEST_MS));
    }

    tell() {
      const { request, state, channel } = this.screen;
      const said = `${state} ${channel || ''}`;
      if (said !== this.said) {
        this.said = said;
        const detail = { request, state, channel };
        this.dispatchEvent(new CustomEvent('kyso-sign', { bubbles: true, composed: true, detail }));
      }
    }

    show() {
      const { waiting, here, digits, digitsRow, status, code } = this.parts;
      const { screen } = this;
      const isWaiting = screen !== undefined && screen.state === 'pending' && !screen.channel;
      waiting.hidden = !isWaiting;
      code.parentNode.parentNode.hidden = screen === undefined;
      code.textContent = screen === undefined ? '' : screen.code;
      digitsRow.hidden = !isWaiting;
      digits.textContent = isWaiting ? screen.digits : '';
      if (isWaiting && screen.link) {
        here.href = screen.link;
      }
      here.hidden = !isWaiting || !screen.link;
      const [kind, text] = this.statement();
      status.className = kind ? `status ${kind}` : 'status';
      if (status.textContent !== text) {
        status.textContent = text;
      }
      this.tick();
    }

    statement() {
      const { words, screen } = this;
      if (this.isStale) {
        return ['bad', words.stale];
      }
      if (this.isLost) {
        return ['bad', words.lost];
      }
      if (screen === undefined) {
        return ['', words.loading];
      }
      if (screen.state === 'signed' || screen.state === 'delivered') {
        return ['good', words.signed];
      }
      if (screen.state === 'pending') {
        return ['', screen.channel ? words.opened : words.pending];
      }
      return [screen.state === 'approved' ? '' : 'bad', words[screen.state] || words.failed];
    }

    /** The code of this second, and the time that is left. */
    tick() {
      const { picture, ground, modules, left } = this.parts;
      const { screen } = this;
      const isOver = screen === undefined || OVER.includes(screen.state);
      left.hidden = isOver;
      if (isOver) {
        modules.setAttribute('d', '');
        return;
      }
      const now = performance.now() + this.skew;
      const seconds = Math.max(0, Math.floor((screen.expires_at - now) / 1000));
      left.textContent = this.words.left(`${Math.floor(seconds / 60)}:${`0${seconds % 60}`.slice(-2)}`);
      const code = screen.codes.filter(({ from }) => from <= now && now < from + CODE_LIVES_MS).pop();
      if (code === this.drawn && code !== undefined) {
        return;
      }
      this.drawn = code;
      modules.setAttribute('d', code === undefined ? '' : pathOf(code));
      if (code !== undefined) {
        const side = code.size + 2 * QUIET;
        picture.setAttribute('viewBox', `${-QUIET} ${-QUIET} ${side} ${side}`);
        ground.setAttribute('width', side);
        ground.setAttribute('height', side);
      }
    }
  }

  if (!customElements.get('kyso-sign')) {
    customElements.define('kyso-sign', KysoSign);
  }
})();
