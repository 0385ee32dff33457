//! A request on a portal's screen: who may approve it has been in front of it. Every way around that is refused.

use kyso_keystore::activation::Channel;
use kyso_signing::Error;
use kyso_signing::portal::{Portal, Scopes};
use kyso_signing::request::{Opening, RequestState, RequestView, Screen};

use crate::everywhere;
use crate::office::{Office, Phone, chance, digests, request};

everywhere!(
    a_code_opens_its_request_for_three_seconds_and_once,
    the_link_opens_on_the_same_device_for_a_minute,
    a_code_of_another_request_or_a_forged_one_opens_nothing,
    a_request_on_a_screen_is_approved_only_after_it_was_opened_and_by_the_way_it_was,
    without_a_screen_nothing_is_to_be_proved_and_no_code_was_read,
    the_digits_open_what_was_taken_from_the_list,
    three_wrong_tries_of_the_digits_end_the_request_also_side_by_side,
    another_citizens_phone_opens_nothing_and_learns_nothing,
    a_page_sees_its_own_request_by_its_token_and_not_for_long,
    an_opening_is_kept_when_a_wrong_pin_brings_the_request_back,
);

async fn ask(office: &Office, portal: &Portal, phone: &Phone) -> RequestView {
    let mut new = request(phone, digests(1, &chance()));
    new.on_screen = true;
    let requests = &office.signing.requests;
    requests.create(portal, new).await.unwrap()
}

async fn screen(office: &Office, portal: &Portal, view: &RequestView) -> Screen {
    let requests = &office.signing.requests;
    requests.screen(portal, &view.id).await.unwrap()
}

async fn open(
    office: &Office,
    phone: &Phone,
    view: &RequestView,
    opening: Opening,
) -> kyso_signing::Result<RequestView> {
    let requests = &office.signing.requests;
    requests.open(phone.session(), &view.id, &opening).await
}

fn proof(text: &str) -> Opening {
    Opening::Proof(text.to_owned())
}

fn typed(text: &str) -> Opening {
    Opening::Digits(text.to_owned())
}

fn wrong_digits(shown: &Screen) -> String {
    if shown.digits == "10" { "11" } else { "10" }.to_owned()
}

async fn approve(
    office: &Office,
    phone: &Phone,
    view: &RequestView,
    channel: Channel,
) -> kyso_signing::Result<RequestView> {
    let mut statement = phone.statement(view);
    statement.channel = channel;
    let approval = phone.approve_statement(&statement, &phone.pin);
    let requests = &office.signing.requests;
    requests.approve(phone.session(), &view.id, approval).await
}

async fn a_code_opens_its_request_for_three_seconds_and_once(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let shown = screen(&office, &portal, &view).await;
    assert!(shown.codes[0].from <= shown.now && shown.now < shown.codes[1].from);
    let first = &shown.codes[0];

    // The picture of a second that has not come was never on a screen.
    let ahead = open(&office, &phone, &view, proof(&shown.codes[4].proof)).await;
    assert!(matches!(ahead, Err(Error::ScreenCodeOld)), "{ahead:?}");
    office.advance(first.from + 3_000 - shown.now);
    let old = open(&office, &phone, &view, proof(&first.proof)).await;
    assert!(matches!(old, Err(Error::ScreenCodeOld)), "{old:?}");

    let now = screen(&office, &portal, &view).await;
    assert_ne!(now.codes[0], *first, "another second, another code");
    office.advance(now.codes[0].from + 2_999 - now.now);
    let opened = open(&office, &phone, &view, proof(&now.codes[0].proof)).await;
    assert_eq!(opened.unwrap().channel, Some(Channel::Qr));

    for again in [&now.codes[0].proof, &now.codes[1].proof] {
        let twice = open(&office, &phone, &view, proof(again)).await;
        assert!(matches!(twice, Err(Error::RequestOpened)), "{twice:?}");
    }
    let after = screen(&office, &portal, &view).await;
    assert!(after.codes.is_empty() && after.link.is_none(), "{after:?}");
    assert_eq!(
        office.ledger(&view.id).await,
        ["signing.request.created", "signing.request.opened"]
    );
    office.check().await;
}

async fn the_link_opens_on_the_same_device_for_a_minute(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let shown = screen(&office, &portal, &view).await;
    let link = shown.link.unwrap();
    office.advance(60_000);
    let old = open(&office, &phone, &view, proof(&link)).await;
    assert!(matches!(old, Err(Error::ScreenCodeOld)), "{old:?}");

    let link = screen(&office, &portal, &view).await.link.unwrap();
    office.advance(58_000);
    let opened = open(&office, &phone, &view, proof(&link)).await.unwrap();
    assert_eq!(opened.channel, Some(Channel::SameDevice));
    approve(&office, &phone, &opened, Channel::SameDevice)
        .await
        .unwrap();
    office.work().await;
    let signed = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(signed.state, RequestState::Signed);
    office.check().await;
}

async fn a_code_of_another_request_or_a_forged_one_opens_nothing(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let other = ask(&office, &portal, &phone).await;
    let theirs = screen(&office, &portal, &other).await;
    let mine = screen(&office, &portal, &view).await;
    let mine = &mine.codes[0].proof;
    let forged = [
        theirs.codes[0].proof.clone(),
        theirs.link.clone().unwrap(),
        // What opens for three seconds is not what opens for a minute.
        mine.replacen('q', "l", 1),
        theirs.link.unwrap().replacen('l', "q", 1),
        mine.replacen("q.", "q.0", 1),
        format!("{mine}A"),
        mine[..mine.len() - 1].to_owned(),
        "q.1.AAAAAAAAAAAAAAAA".into(),
        "q.99999999999999999999.AAAAAAAAAAAAAAAA".into(),
        "q".into(),
        String::new(),
        office.signing.requests.screen_token(&view.id),
    ];
    for forged in forged {
        let refused = open(&office, &phone, &view, proof(&forged)).await;
        assert!(
            matches!(refused, Err(Error::ScreenCodeWrong)),
            "{forged}: {refused:?}"
        );
    }
    let seen = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!((seen.state, seen.channel), (RequestState::Pending, None));
}

async fn a_request_on_a_screen_is_approved_only_after_it_was_opened_and_by_the_way_it_was(
    office: Office,
) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    for channel in [Channel::SameDevice, Channel::Qr, Channel::Push] {
        let unopened = approve(&office, &phone, &view, channel).await;
        assert!(
            matches!(unopened, Err(Error::RequestUnopened)),
            "{unopened:?}"
        );
    }
    let code = screen(&office, &portal, &view).await.codes.remove(0);
    let opened = open(&office, &phone, &view, proof(&code.proof))
        .await
        .unwrap();
    for channel in [Channel::SameDevice, Channel::Push] {
        let lied = approve(&office, &phone, &opened, channel).await;
        assert!(
            matches!(&lied, Err(Error::ApprovalRefused { code }) if code == "channel-mismatch"),
            "{lied:?}"
        );
    }
    approve(&office, &phone, &opened, Channel::Qr)
        .await
        .unwrap();

    // What the web role took is judged again by the worker: another way in the row than in the statement is not signed.
    office
        .database
        .tamper(&format!(
            "UPDATE signature_request SET channel = 'push' WHERE id = '{}'",
            view.id
        ))
        .await;
    office.work().await;
    let ended = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(ended.failure.as_deref(), Some("channel-mismatch"));
}

async fn without_a_screen_nothing_is_to_be_proved_and_no_code_was_read(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let none = office.signing.requests.screen(&portal, &view.id).await;
    assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    let token = office.signing.requests.screen_token(&view.id);
    let none = office
        .signing
        .requests
        .screen_of_page(&view.id, &token)
        .await;
    assert!(matches!(none, Err(Error::ScreenToken)), "{none:?}");
    let none = open(&office, &phone, &view, typed("47")).await;
    assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    let lied = approve(&office, &phone, &view, Channel::Qr).await;
    assert!(
        matches!(&lied, Err(Error::ApprovalRefused { code }) if code == "channel-mismatch"),
        "{lied:?}"
    );
    approve(&office, &phone, &view, Channel::Push)
        .await
        .unwrap();
    office.work().await;
    let signed = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(signed.state, RequestState::Signed);
}

async fn the_digits_open_what_was_taken_from_the_list(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let shown = screen(&office, &portal, &view).await;
    let number: u32 = shown.digits.parse().unwrap();
    assert!((10..100).contains(&number), "{number}");
    for left in [2, 1] {
        let wrong = open(&office, &phone, &view, typed(&wrong_digits(&shown))).await;
        assert!(
            matches!(wrong, Err(Error::DigitsWrong { tries_left }) if tries_left == left),
            "{wrong:?}"
        );
    }
    let opened = open(&office, &phone, &view, typed(&shown.digits))
        .await
        .unwrap();
    assert_eq!(opened.channel, Some(Channel::Push));
    approve(&office, &phone, &opened, Channel::Push)
        .await
        .unwrap();
    office.work().await;
    let signed = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(signed.state, RequestState::Signed);
    office.check().await;
}

async fn three_wrong_tries_of_the_digits_end_the_request_also_side_by_side(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let shown = screen(&office, &portal, &view).await;
    let wrong = typed(&wrong_digits(&shown));
    let tries = (0..8).map(|_| open(&office, &phone, &view, wrong.clone()));
    let mut refused = 0;
    let mut counted = 0;
    for answer in join_all(tries).await {
        match answer {
            Err(Error::DigitsWrong { .. }) => counted += 1,
            Err(Error::DigitsRefused) => refused += 1,
            Err(Error::RequestState { state }) => assert_eq!(state, RequestState::Refused),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((counted, refused), (2, 1));
    let late = open(&office, &phone, &view, typed(&shown.digits)).await;
    assert!(
        matches!(
            late,
            Err(Error::RequestState {
                state: RequestState::Refused
            })
        ),
        "{late:?}"
    );
    assert_eq!(
        office.ledger(&view.id).await,
        [
            "signing.request.created",
            "signing.request.digits-wrong",
            "signing.request.digits-wrong",
            "signing.request.digits-wrong",
            "signing.request.refused"
        ]
    );
    office.check().await;
}

async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        match waiting.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done
}

async fn another_citizens_phone_opens_nothing_and_learns_nothing(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let thief = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let shown = screen(&office, &portal, &view).await;
    for opening in [
        proof(&shown.codes[0].proof),
        proof(&shown.link.clone().unwrap()),
        typed(&shown.digits),
        typed(&wrong_digits(&shown)),
    ] {
        let refused = open(&office, &thief, &view, opening).await;
        assert!(
            matches!(refused, Err(Error::NotFound { .. })),
            "{refused:?}"
        );
    }
    // And costs its owner no try.
    let wrong = open(&office, &phone, &view, typed(&wrong_digits(&shown))).await;
    assert!(
        matches!(wrong, Err(Error::DigitsWrong { tries_left: 2 })),
        "{wrong:?}"
    );
    let other = office.portal("Q", Scopes::ALL).await;
    let hidden = office.signing.requests.screen(&other, &view.id).await;
    assert!(matches!(hidden, Err(Error::NotFound { .. })), "{hidden:?}");
}

async fn a_page_sees_its_own_request_by_its_token_and_not_for_long(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let other = ask(&office, &portal, &phone).await;
    let requests = &office.signing.requests;
    let token = requests.screen_token(&view.id);
    let shown = requests.screen_of_page(&view.id, &token).await.unwrap();
    assert_eq!(shown.codes.len(), 5);
    for wrong in ["", "A", &requests.screen_token(&other.id)] {
        let refused = requests.screen_of_page(&view.id, wrong).await;
        assert!(matches!(refused, Err(Error::ScreenToken)), "{refused:?}");
    }
    requests
        .refuse(phone.session(), &view.id, "not-me")
        .await
        .unwrap();
    let over = requests.screen_of_page(&view.id, &token).await.unwrap();
    assert_eq!(over.request.state, RequestState::Refused);
    assert!(over.codes.is_empty());
    office.advance(10 * 60 * 1000 + 1);
    let forgotten = requests.screen_of_page(&view.id, &token).await;
    assert!(
        matches!(forgotten, Err(Error::ScreenToken)),
        "{forgotten:?}"
    );
}

async fn an_opening_is_kept_when_a_wrong_pin_brings_the_request_back(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = ask(&office, &portal, &phone).await;
    let code = screen(&office, &portal, &view).await.codes.remove(0);
    let opened = open(&office, &phone, &view, proof(&code.proof))
        .await
        .unwrap();
    let mut statement = phone.statement(&opened);
    statement.channel = Channel::Qr;
    let wrong = phone.approve_statement(&statement, "161803");
    let requests = &office.signing.requests;
    requests
        .approve(phone.session(), &view.id, wrong)
        .await
        .unwrap();
    office.work().await;
    let back = requests.show(phone.session(), &view.id).await.unwrap();
    assert_eq!(
        (back.state, back.channel),
        (RequestState::Pending, Some(Channel::Qr))
    );
    approve(&office, &phone, &back, Channel::Qr).await.unwrap();
    office.work().await;
    assert_eq!(
        requests.view(view.id).await.unwrap().state,
        RequestState::Signed
    );
    office.check().await;
}
