//! A request that its portal shows on a screen: the code that changes each second, the link for the same device, the two digits.
//!
//! A citizen who is talked into signing sits in front of no such screen. So a request that is shown on one is approved only
//! after the phone has been there: it read the code of these seconds, followed the page's link, or its owner typed the two
//! digits that stand beside them. What it proved is the `channel` of its statement.
//!
//! # Invariants
//! - Codes, links, digits and the page's token follow from the data key and the request: there is no row to read them from, and
//!   a page that shows a new code each second writes nothing.
//! - A code is good for three seconds, for its own request, in the hands of the citizen who is asked; a request is opened once.
//! - Three wrong tries of the digits end the request. A try is on disk before anybody hears whether it was right.
//!
//! # Known limits
//! - Whoever relays a live picture of the screen within three seconds, or the link within a minute, is in front of it. What then
//!   remains is what the phone shows: who asks, the documents, their code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// How long a code can be used that a page has shown.
const CODE_LIVES_MS: i64 = 3_000;
/// How long a link can be used: the application may have to be fetched first, over a slow network.
const LINK_LIVES_MS: i64 = 60_000;
/// How far the clock of another node may be behind that of the one which gave the code out.
const AHEAD_MS: i64 = 1_000;
/// Codes given out at once, from now on: a page that asks every two seconds never runs out.
const CODES: i64 = 5;
/// Tries of the digits, the right one included.
const DIGITS_TRIES: i64 = 3;
/// How long a page hears of a request that is over.
const LINGER_MS: i64 = 10 * 60 * 1000;
/// Of an HMAC, as much as nobody guesses: 96 bits.
const MAC_BYTES: usize = 12;

/// What a page shows now.
#[derive(Debug, Clone)]
pub struct Screen {
    pub request: RequestView,
    /// To be typed on a phone that opened the request from its list.
    pub digits: String,
    /// What a phone proves that it read a code with, one for each second from now on; none once the request was opened or is over.
    pub codes: Vec<ScreenCode>,
    /// The same for a link that is followed on this device.
    pub link: Option<String>,
    /// The server's clock, milliseconds since 1970.
    pub now: i64,
}

/// The code of one second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenCode {
    /// From when on it is to be shown, milliseconds since 1970.
    pub from: i64,
    /// What goes into the picture, with the request's address.
    pub proof: String,
}

/// How a phone says that it was in front of the screen.
#[derive(Debug, Clone)]
pub enum Opening {
    /// What stood in the picture or the link.
    Proof(String),
    /// What its owner typed.
    Digits(String),
}

impl Requests {
    /// What the portal's page shows, for the portal's own backend.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a request that was not made to be shown.
    pub async fn screen(&self, portal: &Portal, request: &RequestId) -> Result<Screen> {
        let view = self.of_portal(portal, request).await?;
        if !view.on_screen {
            return Err(NO_SCREEN);
        }
        Ok(self.shown(view))
    }

    /// The same for the page itself, by its token.
    ///
    /// # Errors
    /// [`Error::ScreenToken`], also ten minutes after the request is over.
    pub async fn screen_of_page(&self, request: &RequestId, token: &str) -> Result<Screen> {
        if !is_same(token, &self.screen_token(request)) {
            return Err(Error::ScreenToken);
        }
        let view = self.view(*request).await?;
        let now = self.inner.store.now();
        let over_at = view.ended_at.unwrap_or(view.expires_at);
        if !view.on_screen || now > over_at.saturating_add(LINGER_MS) {
            return Err(Error::ScreenToken);
        }
        Ok(self.shown(view))
    }

    /// What lets a page look at this one request: it shows a screen and tells how it ends, nothing else.
    pub fn screen_token(&self, request: &RequestId) -> String {
        URL_SAFE_NO_PAD.encode(self.derived("page", &request.to_string()))
    }

    /// A phone has been in front of the screen. After that its owner may approve.
    ///
    /// # Errors
    /// [`Error::ScreenCodeOld`], [`Error::ScreenCodeWrong`]; [`Error::DigitsWrong`], and [`Error::DigitsRefused`] with the last try, which
    /// ends the request; [`Error::RequestOpened`], [`Error::RequestState`], [`Error::RequestExpired`], [`Error::NotFound`].
    pub async fn open(
        &self,
        session: &Session,
        request: &RequestId,
        opening: &Opening,
    ) -> Result<RequestView> {
        let view = self.show(session, request).await?;
        let now = self.inner.now(self.inner.store.now());
        check_openable(&view, now)?;
        match opening {
            Opening::Proof(proof) => {
                let channel = self.channel_proved(request, proof, now)?;
                self.store_opening(session, &view, channel).await?;
            }
            Opening::Digits(digits) => self.try_digits(session, &view, digits).await?,
        }
        self.show(session, request).await
    }

    fn shown(&self, view: RequestView) -> Screen {
        let now = self.inner.store.now();
        let second = now.div_euclid(1_000);
        let is_waiting = check_openable(&view, now).is_ok();
        let codes = (second..second + CODES)
            .filter(|_| is_waiting)
            .map(|second| ScreenCode {
                from: second * 1_000,
                proof: self.proof_of_second(Channel::Qr, &view.id, second),
            })
            .collect();
        Screen {
            digits: self.digits(&view.id),
            codes,
            link: is_waiting.then(|| self.proof_of_second(Channel::SameDevice, &view.id, second)),
            now,
            request: view,
        }
    }

    /// By which way the holder of `proof` came here, if it is one of this request and of now.
    fn channel_proved(&self, request: &RequestId, proof: &str, now: i64) -> Result<Channel> {
        let wrong = || Error::ScreenCodeWrong;
        let mut parts = proof.split('.');
        let (channel, lives_ms) = match parts.next() {
            Some(QR) => (Channel::Qr, CODE_LIVES_MS),
            Some(LINK) => (Channel::SameDevice, LINK_LIVES_MS),
            _ => return Err(wrong()),
        };
        let second: i64 = parts
            .next()
            .and_then(|text| text.parse().ok())
            .ok_or_else(wrong)?;
        // The proof of that second is made again: one byte form, and no other request's fits.
        if !is_same(proof, &self.proof_of_second(channel, request, second)) {
            return Err(wrong());
        }
        let shown_at = second.saturating_mul(1_000);
        if now >= shown_at.saturating_add(lives_ms) || now < shown_at.saturating_sub(AHEAD_MS) {
            return Err(Error::ScreenCodeOld);
        }
        Ok(channel)
    }

    fn proof_of_second(&self, channel: Channel, request: &RequestId, second: i64) -> String {
        let word = match channel {
            Channel::Qr => QR,
            Channel::SameDevice | Channel::Push => LINK,
        };
        let mac = self.derived(word, &format!("{request} {second}"));
        format!(
            "{word}.{second}.{}",
            URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES])
        )
    }

    /// 10 to 99: two digits, and none that begins with a nought.
    fn digits(&self, request: &RequestId) -> String {
        let mac = self.derived("digits", &request.to_string());
        let drawn = u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]);
        (10 + drawn % 90).to_string()
    }

    fn derived(&self, what: &str, text: &str) -> [u8; 32] {
        let kind = format!("signing.screen.{what}");
        self.inner.sealed.pseudonym(&kind, text)
    }

    async fn store_opening(
        &self,
        session: &Session,
        view: &RequestView,
        channel: Channel,
    ) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        let id = view.id;
        if !table::open(&mut tx, id, session.credential, channel).await? {
            return Err(why_not_opened(&mut tx, view).await?);
        }
        record_opened(&mut tx, id, session, channel);
        tx.commit().await?;
        self.inner.waiting.moved(id);
        Ok(())
    }

    /// The try is counted, and what came of it stored, in one commit: side by side there are not more tries than three.
    async fn try_digits(&self, session: &Session, view: &RequestView, digits: &str) -> Result<()> {
        let id = view.id;
        let mut tx = self.inner.store.write().await?;
        let Some(tried) = table::count_digits(&mut tx, id, session.credential).await? else {
            return Err(why_not_opened(&mut tx, view).await?);
        };
        let channel = Channel::Push;
        let refusal = if is_same(digits, &self.digits(&id)) {
            table::open(&mut tx, id, session.credential, channel).await?;
            record_opened(&mut tx, id, session, channel);
            None
        } else {
            let tries_left = DIGITS_TRIES - tried;
            let count = detail([("tries_left", json!(tries_left))]);
            record(
                &mut tx,
                "signing.request.digits-wrong",
                id,
                &session.citizen,
                count,
            );
            if tries_left > 0 {
                Some(Error::DigitsWrong { tries_left })
            } else {
                let reason = "wrong-digits";
                table::end_pending(&mut tx, id, RequestState::Refused, Some(reason)).await?;
                let why = detail([("reason", json!(reason))]);
                record(
                    &mut tx,
                    "signing.request.refused",
                    id,
                    &session.citizen,
                    why,
                );
                webhook::announce(&mut tx, id, view.portal).await?;
                Some(Error::DigitsRefused)
            }
        };
        tx.commit().await?;
        self.inner.waiting.moved(id);
        refusal.map_or(Ok(()), Err)
    }
}

/// What another call did to the request meanwhile, as the transaction that could do nothing sees it: a reader may not see it yet.
async fn why_not_opened(tx: &mut Tx, view: &RequestView) -> Result<Error> {
    let state = table::state_of(tx, view.id).await?.ok_or(NO_REQUEST)?;
    let (expires_at, now) = (view.expires_at, tx.now());
    Ok(match state {
        RequestState::Pending if now >= expires_at => Error::RequestExpired { expires_at, now },
        RequestState::Pending => Error::RequestOpened,
        state => Error::RequestState { state },
    })
}

const QR: &str = "q";
const LINK: &str = "l";

const NO_SCREEN: Error = Error::NotFound { what: "screen" };

/// Shown on a screen, waiting, and not opened yet.
fn check_openable(view: &RequestView, now: i64) -> Result<()> {
    if !view.on_screen {
        return Err(NO_SCREEN);
    }
    if view.state != RequestState::Pending {
        return Err(Error::RequestState { state: view.state });
    }
    if now >= view.expires_at {
        return Err(Error::RequestExpired {
            expires_at: view.expires_at,
            now,
        });
    }
    match view.channel {
        Some(_) => Err(Error::RequestOpened),
        None => Ok(()),
    }
}

/// The way that a phone states is the way it proved. Without a screen nobody can tell how it came; only a code it did not read.
pub(crate) fn check_channel(
    stated: Channel,
    on_screen: bool,
    proved: Option<Channel>,
) -> Result<(), &'static str> {
    let agrees = match on_screen {
        true => proved == Some(stated),
        false => stated != Channel::Qr,
    };
    if agrees {
        Ok(())
    } else {
        Err("channel-mismatch")
    }
}

fn record_opened(tx: &mut Tx, request: RequestId, session: &Session, channel: Channel) {
    record(
        tx,
        "signing.request.opened",
        request,
        &session.citizen,
        detail([("channel", json!(channel_word(channel)))]),
    );
}

/// In a time that does not tell where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
