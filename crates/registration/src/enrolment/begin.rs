//! From the chosen plan to the owner's data and the settled price.
//!
//! Anyone can type a telephone number, an identity number and a campaign's code. So until a code has come back nothing is held
//! for an enrolment and nothing is said about others: a place of the campaign is held only for a telephone number that was
//! proved, a few for each number, and is otherwise taken when the enrolment is handed in; the person is held from then on. That
//! a person is held already is said early only to a proved telephone number, so many times an hour.

use kyso_store::Tx;

use super::code::HOUR_MS;
use super::state::{Change, Piece, State, Step, missing};
use super::table::{self, Enrolment, refused_by};
use super::{Start, Started, View, view};
use crate::citizen::{
    Address, Channel, FieldError, NewOwner, Owner, OwnerPolicy, Source, read_email, read_owner,
    read_phone,
};
use crate::ledger::line;
use crate::ra::OfficerRole;
use crate::{EnrolmentId, Error, Registration, Result, campaign, secret, unit};

/// How often in an hour one telephone number hears, before it hands in, that a person is held already: enough for a family, and for
/// a number that was mistyped.
const TAKEN_TOLD_HOUR: i64 = 5;

impl Registration {
    /// Begins an enrolment.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a plan or campaign, [`Error::CampaignClosed`], [`Error::CampaignFull`],
    /// [`Error::OfficerForbidden`] when the one who enters it is no helper.
    pub async fn start(&self, start: Start<'_>) -> Result<Started> {
        if start
            .entered_by
            .is_some_and(|officer| !officer.roles.contains(&OfficerRole::Helper))
        {
            return Err(Error::OfficerForbidden);
        }
        let mut tx = self.store().write().await?;
        let (plan, price_vnd) = choose(&mut tx, start).await?;
        let id: EnrolmentId = tx.id();
        let session = secret::token();
        let new = table::New {
            id,
            reference: &secret::reference(),
            session_hash: secret::sha256(session.as_bytes()),
            language: if start.language == Some("en") {
                "en"
            } else {
                "vi"
            },
            entered_by: start.entered_by.map(|officer| officer.id),
            plan: &plan,
            campaign: start.campaign,
            price_vnd,
        };
        table::insert(&mut tx, new).await?;
        let actor = start
            .entered_by
            .map_or_else(|| "citizen".into(), |officer| officer.id.to_string());
        line("registration.enrolment.started", &id.to_string(), &actor)
            .with("plan", plan)
            .with("campaign", start.campaign)
            .record(&mut tx);
        let view = view(&mut tx, &id).await?;
        tx.commit().await?;
        Ok(Started { id, session, view })
    }

    /// Which enrolment this bearer token opens. It ends with the enrolment: every state a citizen can be in has an end, and a
    /// while after that end, or after completion, the token is void. [`Error::SessionInvalid`] otherwise.
    pub async fn authenticate(&self, token: &str) -> Result<EnrolmentId> {
        let mut tx = self.store().read().await?;
        let over = tx.now() - self.config().session_kept_ms;
        table::by_session(&mut tx, secret::sha256(token.as_bytes()), over)
            .await?
            .ok_or(Error::SessionInvalid)
    }

    /// Phone and e-mail alone, so that a code can be sent before anything else is typed.
    ///
    /// # Errors
    /// [`Error::Fields`], [`Error::EnrolmentState`], [`Error::PieceNotAsked`].
    pub async fn set_contact(&self, id: &EnrolmentId, phone: &str, email: &str) -> Result<View> {
        let mut errors = Vec::new();
        let mut keep = |field, code| {
            errors.push(FieldError {
                field,
                code,
                position: None,
            })
        };
        let phone = read_phone(phone)
            .map_err(|code| keep("phone", code))
            .unwrap_or_default();
        let email = read_email(email)
            .map_err(|code| keep("email", code))
            .unwrap_or_default();
        if !errors.is_empty() {
            return Err(Error::Fields(errors));
        }
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let changed = changed_contact(&row, &phone, email.as_deref());
        check_asked(&mut tx, &row, &changed).await?;
        set_contact(&mut tx, &row, phone, email).await?;
        if !changed.is_empty() && row.owner.is_some() {
            void_contract(&mut tx, &row).await?;
        }
        repaired(&mut tx, &row, &["phone", "email"]).await?;
        line(
            "registration.enrolment.contact-set",
            &id.to_string(),
            "citizen",
        )
        .record(&mut tx);
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// The owner's data. In a supplement only the fields that were asked for may differ.
    ///
    /// # Errors
    /// [`Error::Fields`] with every broken rule, [`Error::PersonTaken`], [`Error::PieceNotAsked`],
    /// [`Error::EnrolmentState`].
    pub async fn set_owner(&self, id: &EnrolmentId, new: &NewOwner) -> Result<View> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let today = kyso_paper::Date::in_vietnam(tx.now());
        let found = unit::find(
            &mut tx,
            &new.address.province_code,
            &new.address.commune_code,
        )
        .await?;
        let policy = OwnerPolicy {
            age_min: self.config().age_min,
        };
        let owner = read_owner(new, &found, today, policy).map_err(Error::Fields)?;
        self.check_area(&mut tx, &row, &owner.address).await?;
        let changed = row
            .owner
            .as_ref()
            .map(|before| changed_pieces(before, &owner));
        check_asked(&mut tx, &row, changed.as_deref().unwrap_or_default()).await?;

        // Early for whoever has proved a telephone number, a few times an hour: mailboxes cost nothing, and who asks for one identity
        // number after the other is told no more. Handing in judges it in any case.
        if row.activated_channel == Some(Channel::Sms)
            && let Some(holder) = table::holder(&mut tx, &owner.identity_number, id).await?
            && self.may_hear_of_others(&mut tx, &row).await?
        {
            tx.commit().await?;
            // Once the other enrolment has let go, everything is judged anew.
            self.release_person(&holder).await?;
            return Box::pin(self.set_owner(id, new)).await;
        }
        set_contact(&mut tx, &row, owner.phone.clone(), owner.email.clone()).await?;
        unless_taken(table::set_owner(&mut tx, id, &owner).await)?;
        if changed.is_none_or(|changed| !changed.is_empty()) {
            void_contract(&mut tx, &row).await?;
        }
        repaired(&mut tx, &row, super::state::FIELDS).await?;
        line(
            "registration.enrolment.owner-set",
            &id.to_string(),
            "citizen",
        )
        .with("source", owner.source.as_str())
        .record(&mut tx);
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        self.end_forgotten(id).await?;
        Ok(view)
    }

    /// Settles the price; with nothing due that is all there is. Whoever has proved a telephone number holds a place of the
    /// campaign from now on, others take theirs when they hand in.
    ///
    /// # Errors
    /// [`Error::StepsMissing`] before the owner is known, [`Error::CampaignClosed`], [`Error::CampaignFull`],
    /// [`Error::CampaignArea`], [`Error::PaymentUnavailable`], [`Error::EnrolmentState`].
    pub async fn pay(&self, id: &EnrolmentId) -> Result<View> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        if row.paid_at.is_none() {
            let Some(owner) = &row.owner else {
                return Err(Error::StepsMissing {
                    missing: vec![Step::Owner],
                });
            };
            if row.price_vnd > 0 {
                return Err(Error::PaymentUnavailable {
                    price_vnd: row.price_vnd,
                });
            }
            if let Some(code) = &row.campaign_code {
                let (campaign, taken) = campaign::table::campaign(&mut tx, code)
                    .await?
                    .ok_or(Error::NotFound { what: "campaign" })?;
                if !campaign.covers(&owner.address) {
                    return Err(Error::CampaignArea);
                }
                campaign::availability(&campaign, taken, tx.now())?;
            }
            table::set_paid(&mut tx, id).await?;
            line("registration.enrolment.paid", &id.to_string(), "citizen")
                .with("price_vnd", row.price_vnd)
                .with("campaign", row.campaign_code.clone())
                .record(&mut tx);
        }
        self.hold_place(&mut tx, &row).await?;
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// Hands it in: from here on the person is held, and the place if it was not before. [`Error::StepsMissing`] lists what is
    /// not there.
    ///
    /// # Errors
    /// Also [`Error::CardExpired`] when the card ran out since it was entered, [`Error::PersonTaken`], [`Error::CampaignFull`],
    /// [`Error::CampaignClosed`], [`Error::EnrolmentState`].
    pub async fn submit(&self, id: &EnrolmentId) -> Result<View> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let progress = table::progress(&mut tx, &row).await?;
        let mut steps: Vec<Step> = progress
            .asked
            .iter()
            .map(|piece| Step::repair(*piece))
            .collect();
        steps.extend(
            missing(&progress)
                .into_iter()
                .filter(|step| !steps.contains(step))
                .collect::<Vec<_>>(),
        );
        let Some(owner) = row.owner.clone().filter(|_| steps.is_empty()) else {
            return Err(Error::StepsMissing { missing: steps });
        };
        // Asserted a second time: what was signed is what would be written from the present fields.
        let source = self.contract_source(&mut tx, &row, &owner).await?.digest();
        if table::contract(&mut tx, id)
            .await?
            .is_none_or(|contract| contract.made_from != source)
        {
            return Err(Error::StepsMissing {
                missing: vec![Step::Contract],
            });
        }
        if is_expired(&owner, tx.now()) {
            return Err(Error::CardExpired);
        }
        if let Some(holder) = table::holder(&mut tx, &owner.identity_number, id).await? {
            drop(tx);
            self.release_person(&holder).await?;
            return Box::pin(self.submit(id)).await;
        }
        if let Some(code) = row.campaign_code.as_deref().filter(|_| !row.has_place) {
            campaign::take_place(&mut tx, code).await?;
        }
        let (risk, flags) = self.weigh(&mut tx, &row, &owner).await?;
        row.state
            .after(Change::Submit)
            .ok_or(Error::EnrolmentState { state: row.state })?;
        let officers_required = self.config().officers_required.clamp(1, 2);
        unless_taken(table::submit(&mut tx, id, risk, &flags, officers_required).await)?;
        line(
            "registration.enrolment.submitted",
            &id.to_string(),
            "citizen",
        )
        .with("round", row.round + 1)
        .with("flags", flags)
        .record(&mut tx);
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// The citizen gives up.
    ///
    /// # Errors
    /// [`Error::EnrolmentState`] once it is handed in.
    pub async fn abandon(&self, id: &EnrolmentId) -> Result<View> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        end(&mut tx, &row, Change::Abandon, "abandoned", "citizen").await?;
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// The flags an officer sees first, and their weight. A hint where to look, never a decision.
    async fn weigh(&self, tx: &mut Tx, row: &Enrolment, owner: &Owner) -> Result<(i64, String)> {
        let shared = table::phone_shared(tx, row, owner).await?;
        let flags = [
            ("name-edited", 30, owner.source == Source::QrEdited),
            ("typed", 10, owner.source == Source::Typed),
            ("phone-shared", 20 + 10 * shared, shared > 0),
            ("resubmitted", 10 * row.round, row.round > 0),
            ("desk", 0, row.entered_by.is_some()),
        ];
        let raised = flags.iter().filter(|(_, _, raised)| *raised);
        let risk = raised.clone().map(|(_, weight, _)| weight).sum();
        Ok((
            risk,
            raised
                .map(|(flag, _, _)| *flag)
                .collect::<Vec<_>>()
                .join(" "),
        ))
    }

    async fn check_area(&self, tx: &mut Tx, row: &Enrolment, address: &Address) -> Result<()> {
        let Some(code) = &row.campaign_code else {
            return Ok(());
        };
        match campaign::table::campaign(tx, code).await? {
            Some((campaign, _)) if !campaign.covers(address) => {
                Err(Error::field("address.commune_code", "out-of-campaign"))
            }
            _ => Ok(()),
        }
    }

    /// Holds a place of the campaign for whoever has paid and proved a telephone number, if that number does not hold
    /// [`crate::RegistrationConfig::places_per_phone`] already. [`Error::CampaignFull`], [`Error::CampaignClosed`] without one.
    pub(super) async fn hold_place(&self, tx: &mut Tx, row: &Enrolment) -> Result<()> {
        let Some(code) = row.campaign_code.as_deref().filter(|_| !row.has_place) else {
            return Ok(());
        };
        let Some(phone) = row.phone.as_deref() else {
            return Ok(());
        };
        if row.activated_channel != Some(Channel::Sms) {
            return Ok(());
        }
        // Counted one after the other, also on PostgreSQL and through other campaigns: who comes second waits for the first's commit.
        table::take_turn(tx, &secret::subject("places", phone)).await?;
        if table::places_of_phone(tx, row).await? >= self.config().places_per_phone {
            return Ok(());
        }
        campaign::take_place(tx, code).await?;
        table::set_place(tx, &row.id).await
    }

    /// Uses one of the times in an hour that a telephone number is told of a person who is held already.
    async fn may_hear_of_others(&self, tx: &mut Tx, row: &Enrolment) -> Result<bool> {
        let phone = row.phone.as_deref().unwrap_or_default();
        let subject = secret::subject("person-taken", phone);
        let heard = table::allow(tx, &subject, TAKEN_TOLD_HOUR, HOUR_MS).await?;
        Ok(heard.is_ok())
    }

    /// Lets go of the person another enrolment holds, if that one is over in all but name: its credential has ended.
    async fn release_person(&self, holder: &Enrolment) -> Result<()> {
        let (State::Complete, Some(citizen)) = (holder.state, holder.citizen_id) else {
            return Err(Error::PersonTaken);
        };
        if self
            .signing()
            .credentials
            .of_citizen(&citizen.to_string())
            .await?
            .is_some()
        {
            return Err(Error::PersonTaken);
        }
        let mut tx = self.store().write().await?;
        table::close(&mut tx, &holder.id, "credential-ended")
            .await
            .map_err(|_| Error::PersonTaken)?;
        line(
            "registration.enrolment.closed",
            &holder.id.to_string(),
            "system",
        )
        .record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Ends what the same person began before with the telephone number they have proved now, and lost: its place is free again.
    pub(super) async fn end_forgotten(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        if row.activated_channel != Some(Channel::Sms) {
            return Ok(());
        }
        let begun = table::begun_too(&mut tx, &row).await?;
        drop(tx);
        for other in begun {
            let mut tx = self.store().write().await?;
            // In the order of their ids, so that two that meet do not wait for each other.
            let first = table::lock(&mut tx, id.min(&other)).await?;
            let second = table::lock(&mut tx, id.max(&other)).await?;
            let (mine, other) = if first.id == *id {
                (first, second)
            } else {
                (second, first)
            };
            if replaces(&mine, &other) {
                end(&mut tx, &other, Change::Abandon, "replaced", "citizen").await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

/// Whether `mine` is the same person's, goes on, and has proved the number under which `other` was only begun.
fn replaces(mine: &Enrolment, other: &Enrolment) -> bool {
    let person = |row: &Enrolment| {
        row.owner
            .as_ref()
            .map(|owner| owner.identity_number.clone())
    };
    mine.state.is_open_to_citizen()
        && mine.activated_channel == Some(Channel::Sms)
        && other.state == State::Started
        && mine.phone == other.phone
        && person(mine).is_some()
        && person(mine) == person(other)
}

/// The index that holds a person decides between two who come at the same moment.
fn unless_taken(stored: Result<()>) -> Result<()> {
    match refused_by(&stored) {
        Some("enrolment_one_person") => Err(Error::PersonTaken),
        _ => stored,
    }
}

/// Plan and price.
async fn choose(tx: &mut Tx, start: Start<'_>) -> Result<(String, i64)> {
    if let Some(code) = start.campaign {
        let (campaign, taken) = campaign::table::campaign(tx, code)
            .await?
            .ok_or(Error::NotFound { what: "campaign" })?;
        if start.plan.is_some_and(|plan| plan != campaign.plan) {
            return Err(Error::NotFound { what: "plan" });
        }
        campaign::availability(&campaign, taken, tx.now())?;
        return Ok((campaign.plan, campaign.price_vnd));
    }
    let code = start.plan.ok_or_else(|| {
        Error::Fields(vec![FieldError {
            field: "plan",
            code: "required",
            position: None,
        }])
    })?;
    let plan = campaign::table::plan(tx, code)
        .await?
        .filter(|plan| plan.public)
        .ok_or(Error::NotFound { what: "plan" })?;
    Ok((plan.code, plan.price_vnd))
}

/// The row, locked, if the citizen may change it now.
pub(super) async fn lock_open(tx: &mut Tx, id: &EnrolmentId) -> Result<Enrolment> {
    let row = table::lock(tx, id).await?;
    if row.state.is_open_to_citizen() {
        Ok(row)
    } else {
        Err(Error::EnrolmentState { state: row.state })
    }
}

/// Ends an enrolment: its place goes back to the campaign, its code is wiped.
pub(crate) async fn end(
    tx: &mut Tx,
    row: &Enrolment,
    change: Change,
    code: &str,
    actor: &str,
) -> Result<State> {
    let to = row
        .state
        .after(change)
        .ok_or(Error::EnrolmentState { state: row.state })?;
    table::end(tx, row, to, code).await?;
    if let Some(campaign) = row.campaign_code.as_deref().filter(|_| row.has_place) {
        campaign::table::give_back_place(tx, campaign).await?;
    }
    if let Some(live) = table::live_code(tx, &row.id).await? {
        table::end_code(tx, &live, "void").await?;
    }
    let kind = match to {
        State::Rejected => "registration.enrolment.rejected",
        State::Abandoned => "registration.enrolment.abandoned",
        State::Expired => "registration.enrolment.expired",
        _ => "registration.enrolment.failed",
    };
    line(kind, &row.id.to_string(), actor)
        .with("code", code)
        .with("from", row.state.as_str())
        .record(tx);
    Ok(to)
}

/// The card's last day is the one before the birthday on which it expires.
pub(crate) fn is_expired(owner: &Owner, now: i64) -> bool {
    owner
        .card_expires_on
        .is_some_and(|day| day <= kyso_paper::Date::in_vietnam(now))
}

/// In a supplement nothing may change but what was asked for.
pub(super) async fn check_asked(tx: &mut Tx, row: &Enrolment, changed: &[Piece]) -> Result<()> {
    if row.state != State::Supplement {
        return Ok(());
    }
    let asked = table::asked(tx, row).await?;
    match changed
        .iter()
        .find(|piece| asked.iter().all(|ask| ask.piece != **piece))
    {
        Some(piece) => Err(Error::PieceNotAsked { piece: *piece }),
        None => Ok(()),
    }
}

/// The citizen has looked at these fields again. One left as it was counts too: the officer may have been wrong, and a
/// dossier that cannot be handed in again would be a dead end.
async fn repaired(tx: &mut Tx, row: &Enrolment, fields: &[&'static str]) -> Result<()> {
    if row.state == State::Supplement {
        for field in fields {
            table::repair(tx, row, Piece::Field(field)).await?;
        }
    }
    Ok(())
}

pub(super) async fn void_contract(tx: &mut Tx, row: &Enrolment) -> Result<()> {
    if table::void_contract(tx, &row.id).await? > 0 {
        line(
            "registration.contract.voided",
            &row.id.to_string(),
            "citizen",
        )
        .record(tx);
    }
    Ok(())
}

/// Stores a contact; a destination that changed has to be proved again.
async fn set_contact(
    tx: &mut Tx,
    before: &Enrolment,
    phone: String,
    email: Option<String>,
) -> Result<()> {
    let mut row = before.clone();
    let proved = match row.activated_channel {
        Some(Channel::Sms) => row.phone.as_ref() == Some(&phone),
        Some(Channel::Email) => row.email == email,
        None => false,
    };
    if !proved {
        (row.activated_at, row.activated_channel) = (None, None);
        // What was held for the number that was proved goes back; once handed in, the officers' queue holds it.
        if row.state == State::Started
            && let Some(campaign) = row.campaign_code.as_deref().filter(|_| row.has_place)
        {
            campaign::table::give_back_place(tx, campaign).await?;
            row.has_place = false;
        }
    }
    (row.phone, row.email) = (Some(phone), email);
    if let Some(live) = table::live_code(tx, &row.id).await? {
        let destination = match live.channel {
            Channel::Sms => row.phone.as_ref(),
            Channel::Email => row.email.as_ref(),
        };
        if destination != Some(&live.destination) {
            table::end_code(tx, &live, "void").await?;
        }
    }
    table::set_contact(tx, &row).await
}

fn changed_contact(row: &Enrolment, phone: &str, email: Option<&str>) -> Vec<Piece> {
    let mut changed = Vec::new();
    if row.phone.as_deref() != Some(phone) {
        changed.push(Piece::Field("phone"));
    }
    if row.email.as_deref() != email {
        changed.push(Piece::Field("email"));
    }
    changed
}

fn changed_pieces(before: &Owner, after: &Owner) -> Vec<Piece> {
    let fields = [
        ("full_name", before.full_name != after.full_name),
        (
            "identity_number",
            before.identity_number != after.identity_number,
        ),
        ("issue_date", before.issue_date != after.issue_date),
        ("issue_place", before.issue_place != after.issue_place),
        ("birth_date", before.birth_date != after.birth_date),
        ("sex", before.sex != after.sex),
        ("nationality", before.nationality != after.nationality),
        ("phone", before.phone != after.phone),
        ("email", before.email != after.email),
        ("address", before.address != after.address),
    ];
    fields
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(field, _)| Piece::Field(field))
        .collect()
}
