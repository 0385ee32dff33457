//! OpenSSL as judge: it reads, verifies and questions what we make, and we read what it makes.

use std::path::PathBuf;
use std::process::Command;

use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{Certificate, Template};
use kyso_pki::cms::Signature;
use kyso_pki::crl::{Crl, Entry};
use kyso_pki::csr;
use kyso_pki::ocsp::{self, Answer, Failure, Request, Response, Status};
use kyso_pki::profile::{Kind, Profile};
use kyso_pki::revocation::Reason;
use tempfile::TempDir;

use crate::support::*;

/// A folder of files and the program that judges them. `None` when OpenSSL is not there and may be missing.
struct Judge {
    folder: TempDir,
}

struct Verdict {
    accepted: bool,
    words: String,
}

impl Judge {
    fn present() -> Option<Judge> {
        if Command::new("openssl").arg("version").output().is_ok() {
            return Some(Judge {
                folder: TempDir::new().unwrap(),
            });
        }
        let required = std::env::var("KYSO_PEERS").is_ok_and(|value| value == "required");
        assert!(!required, "openssl is missing and KYSO_PEERS=required");
        println!("skipped: openssl");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, octets: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn pem(&self, name: &str, certificates: &[&Certificate]) {
        let text: String = certificates.iter().map(|one| one.to_pem()).collect();
        self.put(name, text);
    }

    /// Runs `openssl` in the folder; the line is split at spaces.
    fn asks(&self, line: &str) -> Verdict {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("OPENSSL_CONF", "/dev/null")
            .output()
            .unwrap();
        Verdict {
            accepted: output.status.success(),
            words: [output.stdout, output.stderr]
                .map(|octets| String::from_utf8_lossy(&octets).into_owned())
                .concat(),
        }
    }

    fn accepts(&self, line: &str) -> String {
        let verdict = self.asks(line);
        assert!(verdict.accepted, "openssl {line}\n{}", verdict.words);
        verdict.words
    }

    fn refuses(&self, line: &str) -> String {
        let verdict = self.asks(line);
        assert!(!verdict.accepted, "openssl {line}\n{}", verdict.words);
        verdict.words
    }

    /// The files every path needs.
    fn authority(&self, authority: &Authority, revoked: &[Entry]) {
        self.pem("root.pem", &[&authority.root]);
        self.pem("issuing.pem", &[&authority.issuing]);
        self.pem("both.pem", &[&authority.issuing, &authority.root]);
        self.pem("responder.pem", &[&authority.responder]);
        self.pem("citizen.pem", &[&authority.citizen]);
        let lists = authority.root_crl().to_pem() + &authority.crl(5, revoked).to_pem();
        self.put("lists.pem", lists);
    }
}

fn at(time: i64) -> String {
    format!("-attime {}", time / 1000)
}

fn strict() -> String {
    format!(
        "verify {} -x509_strict -check_ss_sig -crl_check_all -policy_check -explicit_policy -policy {POLICY} \
         -CAfile root.pem -untrusted issuing.pem -CRLfile lists.pem",
        at(NOW + HOUR)
    )
}

fn revoked(number: &Certificate, reason: Option<Reason>) -> Entry {
    Entry {
        serial: number.serial().clone(),
        revoked_at: NOW - HOUR,
        reason,
    }
}

#[test]
fn the_whole_path_passes_strict_verification_with_policies_and_lists() {
    let Some(judge) = Judge::present() else {
        return;
    };
    for authority in [rsa_authority(), ec_authority()] {
        judge.authority(authority, &[]);
        assert!(
            judge
                .accepts(&format!("{} citizen.pem", strict()))
                .contains("OK")
        );
        // The responder asserts no policy, so it is judged without.
        let line = format!(
            "verify {} -x509_strict -CAfile root.pem -untrusted issuing.pem",
            at(NOW)
        );
        judge.accepts(&format!("{line} -purpose ocsphelper responder.pem"));
        judge.accepts(&format!("{line} -purpose any citizen.pem"));
        judge.accepts(&format!(
            "verify {} -x509_strict -CAfile root.pem root.pem",
            at(NOW)
        ));
    }
}

#[test]
fn content_commitment_alone_is_accepted_and_other_policies_are_not() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = ec_authority();
    judge.authority(authority, &[]);
    let text = judge.accepts("x509 -in citizen.pem -noout -text -nameopt utf8,sep_comma_plus");
    for words in [
        "X509v3 Key Usage: critical\n                Non Repudiation\n",
        "CPS: https://kyso.example.vn/cps",
        "Explicit Text:",
        "OCSP - URI:http://kyso.example.vn/ocsp",
        "CA Issuers - URI:http://kyso.example.vn/ca/issuing.cer",
        "URI:http://kyso.example.vn/crl/issuing.crl",
        "1.3.6.1.5.5.7.3.36, 1.3.6.1.4.1.311.10.3.12, E-mail Protection\n",
        "CA:FALSE",
        "CN=Nguyễn Thị Minh Ánh,UID=CCCD:079200000001",
    ] {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
    assert!(!text.contains("email"));
    judge.accepts(&format!("{} citizen.pem", strict()));
    let other = strict().replace(POLICY, "1.3.6.1.4.1.99999.9");
    assert!(
        judge
            .refuses(&format!("{other} citizen.pem"))
            .contains("policy")
    );
}

#[test]
fn revoked_and_suspended_are_refused_with_our_list() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = rsa_authority();
    for reason in [
        None,
        Some(Reason::KeyCompromise),
        Some(Reason::CertificateHold),
    ] {
        judge.authority(authority, &[revoked(&authority.citizen, reason)]);
        let words = judge.refuses(&format!("{} citizen.pem", strict()));
        assert!(words.contains("certificate revoked"), "{words}");
    }
    let late = strict().replace(&at(NOW + HOUR), &at(NOW + 2 * DAY));
    assert!(
        judge
            .refuses(&format!("{late} citizen.pem"))
            .contains("CRL has expired")
    );
}

#[test]
fn every_signature_algorithm_of_an_issuer_is_accepted() {
    let Some(judge) = Judge::present() else {
        return;
    };
    for (authority, algorithms) in [
        (rsa_authority(), &SignatureAlgorithm::ALL[..6]),
        (ec_authority(), &SignatureAlgorithm::ALL[7..]),
    ] {
        judge.authority(authority, &[]);
        for algorithm in algorithms {
            let template = citizen_template(&authority.issuing, &authority.citizen_key, *algorithm);
            let certificate = issue(&template, &authority.issuing_key);
            judge.pem("one.pem", &[&certificate]);
            judge.accepts(&format!("{} one.pem", strict()));
        }
    }
}

#[test]
fn seals_and_time_stamping_units_pass_for_their_purpose() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = ec_authority();
    judge.authority(authority, &[]);
    let key = Key::new(KeyAlgorithm::P384);
    let algorithm = authority.issuing_key.default_algorithm();
    let base = citizen_template(&authority.issuing, &key, algorithm);
    let unit = Template {
        subject: institution("Kyso Time-stamping Unit 1"),
        profile: Profile::timestamp(Some(policy()), addresses("issuing")),
        ..base.clone()
    };
    judge.pem("unit.pem", &[&issue(&unit, &authority.issuing_key)]);
    judge.accepts(&format!("{} -purpose timestampsign unit.pem", strict()));
    judge.refuses(&format!("{} -purpose timestampsign citizen.pem", strict()));
    let seal = Template {
        subject: institution("Kyso Seal"),
        profile: Profile::seal(policy(), addresses("issuing")),
        ..base
    };
    judge.pem("seal.pem", &[&issue(&seal, &authority.issuing_key)]);
    judge.accepts(&format!("{} seal.pem", strict()));
}

#[test]
fn lists_are_read_verified_and_shown() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = rsa_authority();
    let entries: Vec<Entry> = Reason::ALL
        .into_iter()
        .enumerate()
        .map(|(index, reason)| Entry {
            serial: serial(10 + index as u8),
            revoked_at: NOW,
            reason: Some(reason),
        })
        .collect();
    judge.pem("issuing.pem", &[&authority.issuing]);
    judge.put("list.crl", authority.crl(4711, &entries).as_der());
    let words = judge.accepts("crl -inform DER -in list.crl -CAfile issuing.pem -noout -text");
    for shown in [
        "verify OK",
        "4711",
        "Key Compromise",
        "Certificate Hold",
        "Privilege Withdrawn",
    ] {
        assert!(words.contains(shown), "{shown}");
    }
    assert_eq!(
        words.matches("X509v3 CRL Reason Code").count(),
        8,
        "unspecified is left out"
    );
}

#[test]
fn a_list_of_many_is_made_and_read_in_moments() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = ec_authority();
    let entries: Vec<Entry> = (0..20_000u32)
        .map(|number| {
            let mut octets = [0x55; 16];
            octets[12..].copy_from_slice(&number.to_be_bytes());
            Entry {
                serial: kyso_pki::certificate::Serial::from_random(octets),
                revoked_at: NOW,
                reason: Some(Reason::Superseded),
            }
        })
        .collect();
    let list = authority.crl(1, &entries);
    assert_eq!(list.entries().len(), entries.len());
    judge.pem("issuing.pem", &[&authority.issuing]);
    judge.put("list.crl", list.as_der());
    judge.accepts("crl -inform DER -in list.crl -CAfile issuing.pem -noout");
}

/// OpenSSL asks; we answer, with the nonce as `nonce` makes it; OpenSSL judges.
fn answered(
    judge: &Judge,
    authority: &Authority,
    hash: &str,
    status: Status,
    nonce: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> Verdict {
    judge.authority(authority, &[]);
    judge.accepts(&format!(
        "ocsp -{hash} -issuer issuing.pem -cert citizen.pem -nonce -reqout request.der"
    ));
    let request = Request::from_der(&judge.get("request.der")).unwrap();
    assert!(request.ids[0].is_issued_by(&authority.issuing));
    assert_eq!(request.ids[0].serial(), authority.citizen.serial());
    let answers = request.ids.into_iter().map(|id| Answer {
        id,
        status,
        this_update: NOW,
        next_update: Some(NOW + HOUR),
    });
    let nonce = nonce(request.nonce.unwrap());
    let response = authority.answer(answers.collect(), nonce);
    judge.put("response.der", response.as_der());
    // The response is fixed in time, the judge's clock is not: a wide period, and the path judged at our instant.
    let common = format!(
        "-respin response.der -CAfile both.pem {} -validity_period 3000000000",
        at(NOW)
    );
    // Two runs: with the request file the nonces are compared, with the certificate its status is shown.
    let nonces = judge.asks(&format!("ocsp -reqin request.der {common}"));
    if !nonces.accepted {
        return nonces;
    }
    let status = judge.asks(&format!(
        "ocsp -{hash} -issuer issuing.pem -cert citizen.pem -no_nonce {common}"
    ));
    Verdict {
        accepted: status.accepted,
        words: nonces.words + &status.words,
    }
}

#[test]
fn openssl_takes_our_answers_to_its_questions() {
    let Some(judge) = Judge::present() else {
        return;
    };
    for authority in [rsa_authority(), ec_authority()] {
        for hash in ["sha1", "sha256", "sha384"] {
            let words = answered(&judge, authority, hash, Status::Good, Some).words;
            assert!(words.contains("Response verify OK"), "{words}");
            assert!(words.contains("citizen.pem: good"), "{words}");
            assert!(!words.to_lowercase().contains("nonce"), "{words}");
        }
        let status = Status::Revoked {
            at: NOW - HOUR,
            reason: Some(Reason::CertificateHold),
        };
        let words = answered(&judge, authority, "sha1", status, Some).words;
        assert!(words.contains("Response verify OK"), "{words}");
        assert!(
            words.contains("revoked") && words.contains("certificateHold"),
            "{words}"
        );
        let words = answered(&judge, authority, "sha1", Status::Unknown, Some).words;
        assert!(words.contains("citizen.pem: unknown"), "{words}");
    }
}

#[test]
fn openssl_notices_a_nonce_that_is_not_its_own() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = ec_authority();
    let other = |nonce: Vec<u8>| Some(nonce.iter().map(|octet| !octet).collect());
    let verdict = answered(&judge, authority, "sha1", Status::Good, other);
    assert!(
        !verdict.accepted && verdict.words.contains("Nonce Verify error"),
        "{}",
        verdict.words
    );
    let verdict = answered(&judge, authority, "sha1", Status::Good, |_| None);
    assert!(
        verdict.words.contains("WARNING: no nonce in response"),
        "{}",
        verdict.words
    );
}

#[test]
fn openssl_reads_our_questions_and_failures() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = ec_authority();
    let id = ocsp::CertId::of(
        ocsp::IdHash::Sha1,
        &authority.issuing,
        authority.citizen.serial(),
    );
    let request = Request {
        ids: vec![id.unwrap()],
        nonce: Some(vec![0xab; 32]),
    };
    judge.put("request.der", request.to_der().unwrap());
    let words = judge.accepts("ocsp -reqin request.der -req_text");
    let number = authority.citizen.serial().to_string().to_uppercase();
    assert!(
        words.contains(&number) && words.contains("ABABABAB"),
        "{words}"
    );
    for (failure, code) in [
        (Failure::Malformed, "malformedrequest"),
        (Failure::Internal, "internalerror"),
        (Failure::TryLater, "trylater"),
        (Failure::Unauthorized, "unauthorized"),
    ] {
        judge.put("failure.der", ocsp::failure(failure));
        let words = judge.asks("ocsp -respin failure.der -noverify").words;
        assert!(words.contains(code), "{words}");
    }
}

#[test]
fn we_take_openssls_answers_and_refuse_them_when_changed() {
    let Some(judge) = Judge::present() else {
        return;
    };
    // Its own little authority: a self-signed one that also answers.
    judge.accepts(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /C=VN/CN=Peer \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    );
    let line = "V\t300101000000Z\t\t1234567890ABCDEF1234567890ABCDEF\tunknown\t/CN=good\n\
                R\t300101000000Z\t260101000000Z,keyCompromise\t2234567890ABCDEF1234567890ABCDEF\tunknown\t/CN=bad\n";
    judge.put("index.txt", line);
    let ca = Certificate::from_pem(&String::from_utf8(judge.get("ca.pem")).unwrap()).unwrap();
    ca.verify_issued_by(&ca).unwrap();
    for (number, is_good) in [
        ("1234567890abcdef1234567890abcdef", true),
        ("2234567890abcdef1234567890abcdef", false),
    ] {
        judge.accepts(&format!(
            "ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem -serial 0x{number} \
             -nonce -ndays 1 -respout response.der"
        ));
        let der = judge.get("response.der");
        let response = Response::from_der(&der).unwrap();
        response.verify(&ca).unwrap();
        let answer = response
            .answer_for(&ca, &number.parse().unwrap(), response.produced_at())
            .unwrap();
        match answer.status {
            Status::Good => assert!(is_good),
            Status::Revoked { reason, .. } => assert_eq!(reason, Some(Reason::KeyCompromise)),
            Status::Unknown => panic!("unknown"),
        }
        assert!(response.verify(&rsa_authority().issuing).is_err());
        let mut changed = der;
        let place = changed.len() / 3;
        changed[place] ^= 1;
        let verifies = Response::from_der(&changed).and_then(|response| response.verify(&ca));
        assert!(verifies.is_err());
    }
}

#[test]
fn openssl_verifies_our_signatures_as_cades() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let document = "Tờ khai đề nghị cấp giấy phép xây dựng".as_bytes();
    judge.put("document", document);
    for (authority, algorithm) in crate::cms::all() {
        judge.authority(authority, &[]);
        judge.put(
            "signature.der",
            crate::cms::sign(authority, algorithm, document),
        );
        // The purpose is documents, not mail: OpenSSL's default would ask for emailProtection.
        let line = format!(
            "cms -verify -cades -binary -inform DER -in signature.der -content document -CAfile root.pem \
             -purpose any -x509_strict {} -out /dev/null",
            at(NOW)
        );
        let words = judge.accepts(&line);
        assert!(
            words.contains("CAdES Verification successful"),
            "{algorithm}: {words}"
        );
        judge.put("other", b"something else");
        judge.refuses(&line.replace("document", "other"));
    }
}

#[test]
fn pkcs_1_signatures_name_rsa_encryption_and_leave_issuer_serial_and_time_out() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let algorithm = SignatureAlgorithm::RsaPkcs1Sha256;
    judge.put(
        "signature.der",
        crate::cms::sign(rsa_authority(), algorithm, b"document"),
    );
    let words = judge.accepts("cms -cmsout -print -noout -inform DER -in signature.der");
    let signer = &words[words.find("signerInfos").unwrap()..];
    let after = &signer[signer.find("signatureAlgorithm").unwrap()..];
    assert!(
        after.contains("rsaEncryption (1.2.840.113549.1.1.1)"),
        "{after}"
    );
    assert!(
        signer.contains("id-smime-aa-signingCertificateV2"),
        "{signer}"
    );
    assert!(
        !signer.contains("signingTime") && !signer.contains("issuerSerial"),
        "{signer}"
    );
    assert!(words.contains("eContent: <ABSENT>"));
}

#[test]
fn we_verify_openssls_cades_signatures() {
    let Some(judge) = Judge::present() else {
        return;
    };
    judge.put("document", b"made elsewhere");
    for (key, digest, algorithm) in [
        ("rsa:2048", "sha256", SignatureAlgorithm::RsaPkcs1Sha256),
        ("rsa:3072", "sha512", SignatureAlgorithm::RsaPkcs1Sha512),
        (
            "ec -pkeyopt ec_paramgen_curve:P-256",
            "sha256",
            SignatureAlgorithm::EcdsaSha256,
        ),
        (
            "ec -pkeyopt ec_paramgen_curve:P-384",
            "sha384",
            SignatureAlgorithm::EcdsaSha384,
        ),
    ] {
        judge.accepts(&format!(
            "req -x509 -newkey {key} -nodes -keyout peer.key -out peer.pem -days 30 -subj /C=VN/CN=Peer"
        ));
        judge.accepts(&format!(
            "cms -sign -cades -binary -md {digest} -signer peer.pem -inkey peer.key -in document -outform DER \
             -out signature.der"
        ));
        let signature = Signature::from_der(&judge.get("signature.der")).unwrap();
        assert_eq!(signature.algorithm(), algorithm);
        let content = |octets: &[u8]| Digest::of(algorithm.digest_algorithm(), octets);
        signature.verify(&content(b"made elsewhere")).unwrap();
        assert!(signature.verify(&content(b"made elsewhere?")).is_err());
    }
}

#[test]
fn requests_go_both_ways() {
    let Some(judge) = Judge::present() else {
        return;
    };
    for key in [&rsa_authority().issuing_key, &ec_authority().issuing_key] {
        let name = institution("Kyso Test Issuing");
        let info = csr::prepare(&name, &key.public, Kind::Issuing).unwrap();
        let algorithm = key.default_algorithm();
        let der = csr::assemble(&info, algorithm, &key.sign(algorithm, &info)).unwrap();
        judge.put(
            "request.pem",
            csr::Request::from_der(&der).unwrap().to_pem(),
        );
        let words = judge.accepts("req -in request.pem -verify -noout -text -nameopt utf8");
        assert!(words.contains("verify OK"), "{words}");
        assert!(words.contains("Certificate Sign, CRL Sign"), "{words}");
        assert!(words.contains("CA:TRUE, pathlen:0"), "{words}");
    }
    judge.accepts(
        "req -new -newkey rsa:2048 -nodes -keyout peer.key -out peer.pem -subj /C=VN/O=Peer/CN=Theirs",
    );
    let pem = String::from_utf8(judge.get("peer.pem")).unwrap();
    let request = csr::Request::from_pem(&pem).unwrap();
    assert_eq!(request.subject().to_string(), "C=VN,O=Peer,CN=Theirs");
    assert_eq!(request.public_key().algorithm(), KeyAlgorithm::Rsa2048);
}

#[test]
fn every_structure_is_well_formed_for_asn1parse() {
    let Some(judge) = Judge::present() else {
        return;
    };
    let authority = rsa_authority();
    let list = authority.crl(
        1,
        &[revoked(&authority.citizen, Some(Reason::KeyCompromise))],
    );
    let signature = crate::cms::sign(authority, SignatureAlgorithm::RsaPssSha512, b"x");
    for der in [
        authority.root.as_der(),
        authority.issuing.as_der(),
        authority.responder.as_der(),
        authority.citizen.as_der(),
        authority.citizen_key.public.as_der(),
        list.as_der(),
        &signature,
    ] {
        judge.put("any.der", der);
        let words = judge.accepts("asn1parse -inform DER -in any.der");
        assert!(!words.contains("Error"), "{words}");
    }
    judge.put("key.der", authority.citizen_key.public.as_der());
    judge.accepts("pkey -pubin -inform DER -in key.der -noout");
    judge.put("key.pem", authority.citizen_key.public.to_pem());
    judge.accepts("pkey -pubin -in key.pem -noout");
}

#[test]
fn a_list_made_by_openssl_is_read() {
    let Some(judge) = Judge::present() else {
        return;
    };
    judge.accepts(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \
         -subj /C=VN/CN=Peer -addext keyUsage=critical,keyCertSign,cRLSign",
    );
    judge.put(
        "index.txt",
        "R\t300101000000Z\t260101000000Z,superseded\t2234567890ABCDEF\tunknown\t/CN=bad\n",
    );
    judge.put("number", "1001\n");
    let config = "[ca]\ndefault_ca=it\n[it]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n\
                  default_crl_days=7\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n";
    judge.put("ca.conf", config);
    judge.accepts("ca -config ca.conf -gencrl -keyfile ca.key -cert ca.pem -out list.pem");
    judge.accepts("crl -in list.pem -outform DER -out list.crl");
    let list = Crl::from_der(&judge.get("list.crl")).unwrap();
    let ca = Certificate::from_pem(&String::from_utf8(judge.get("ca.pem")).unwrap()).unwrap();
    list.verify_issued_by(&ca).unwrap();
    assert_eq!(list.number(), Some(0x1001));
    let entry = list.find(&"2234567890abcdef".parse().unwrap()).unwrap();
    assert_eq!(entry.reason, Some(Reason::Superseded));
}
