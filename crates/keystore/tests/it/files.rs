//! The software backend's files: who may read them, and what happens when they are not what they were.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use kyso_keystore::{Error, Keystore, Result, Role};
use kyso_pki::algorithm::KeyAlgorithm;
use tempfile::TempDir;

use crate::world::{block_on, software_config};

fn open(directory: &TempDir) -> Result<Keystore> {
    Keystore::open(software_config(directory.path(), 10))
}

/// A folder in which a keystore was opened once.
fn opened_once() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).unwrap();
    let keys = directory.path().join("keys");
    (directory, keys)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refusal(directory: &TempDir) -> String {
    match open(directory) {
        Err(Error::KeyFile { reason, .. } | Error::Setup { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the keystore opened"),
    }
}

#[test]
fn files_are_made_for_their_owner_only() {
    let (directory, keys) = opened_once();
    let keystore = open(&directory).unwrap();
    block_on(keystore.create_for_service(Role::Seal, "seal", KeyAlgorithm::P256)).unwrap();
    assert_eq!(fs::metadata(&keys).unwrap().mode() & 0o777, 0o700);
    let mut names: Vec<String> = fs::read_dir(&keys)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["approval.key", "master.key", "service-seal.key"]);
    for name in names {
        assert_eq!(
            fs::metadata(keys.join(&name)).unwrap().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    for name in ["master.key", "approval.key"] {
        for mode in [0o644, 0o640, 0o604, 0o660, 0o610] {
            let (directory, keys) = opened_once();
            set_mode(&keys.join(name), mode);
            assert!(
                refusal(&directory).contains("lets others in"),
                "{name} {mode:o}"
            );
            set_mode(&keys.join(name), 0o400);
            open(&directory).unwrap();
        }
    }
}

#[test]
fn a_symbolic_link_is_never_followed() {
    for name in ["master.key", "approval.key"] {
        let (directory, keys) = opened_once();
        let elsewhere = directory.path().join("elsewhere");
        fs::rename(keys.join(name), &elsewhere).unwrap();
        symlink(&elsewhere, keys.join(name)).unwrap();
        assert_eq!(refusal(&directory), "not a regular file");
    }
    let (directory, keys) = opened_once();
    fs::remove_file(keys.join("master.key")).unwrap();
    fs::create_dir(keys.join("master.key")).unwrap();
    assert_eq!(refusal(&directory), "not a regular file");
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let (directory, keys) = opened_once();
    set_mode(&keys, 0o770);
    assert!(refusal(&directory).contains("lets others write"));
}

#[test]
fn a_missing_master_key_is_not_replaced_while_keys_are_there() {
    let (directory, keys) = opened_once();
    let master = fs::read(keys.join("master.key")).unwrap();
    fs::remove_file(keys.join("master.key")).unwrap();
    assert!(refusal(&directory).contains("no master.key"));
    assert!(!keys.join("master.key").exists());
    fs::write(keys.join("master.key"), &master).unwrap();
    set_mode(&keys.join("master.key"), 0o600);
    open(&directory).unwrap();
}

#[test]
fn another_or_damaged_master_key_is_refused() {
    let (directory, keys) = opened_once();
    let (_other_directory, other_keys) = opened_once();
    fs::copy(other_keys.join("master.key"), keys.join("master.key")).unwrap();
    assert!(refusal(&directory).contains("another master key"));
    fs::write(keys.join("master.key"), [1; 31]).unwrap();
    assert!(refusal(&directory).contains("damaged"));
}

#[test]
fn service_files_that_are_edited_or_swapped_are_refused() {
    let (directory, keys) = opened_once();
    let keystore = open(&directory).unwrap();
    for label in ["one", "two"] {
        block_on(keystore.create_for_service(Role::Seal, label, KeyAlgorithm::P256)).unwrap();
    }
    let good = fs::read(keys.join("service-one.key")).unwrap();
    for index in (0..good.len()).step_by(7) {
        let mut edited = good.clone();
        edited[index] ^= 1;
        fs::write(keys.join("service-one.key"), edited).unwrap();
        let refused = block_on(open(&directory).unwrap().service("one"));
        assert!(
            matches!(refused, Err(Error::KeyFile { .. })),
            "byte {index}"
        );
    }
    fs::copy(keys.join("service-two.key"), keys.join("service-one.key")).unwrap();
    assert!(matches!(
        block_on(open(&directory).unwrap().service("one")),
        Err(Error::KeyFile { .. })
    ));
    fs::write(keys.join("service-one.key"), good).unwrap();
    block_on(open(&directory).unwrap().service("one")).unwrap();
}

/// Every private key on disk is wrapped: no PKCS#8 (which begins with its version and algorithm) is to be seen.
#[test]
fn no_file_holds_a_readable_private_key() {
    let (directory, keys) = opened_once();
    let keystore = open(&directory).unwrap();
    block_on(keystore.create_for_service(Role::Seal, "ec", KeyAlgorithm::P256)).unwrap();
    block_on(keystore.create_for_service(Role::Root, "rsa", KeyAlgorithm::Rsa2048)).unwrap();
    let version_and_rsa = [
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01,
    ];
    let version_and_ec = [
        0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    ];
    let ec_private_key = [0x02, 0x01, 0x01, 0x04, 0x20];
    for entry in fs::read_dir(&keys).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(&version_and_rsa) && !holds(&version_and_ec) && !holds(&ec_private_key));
    }
}

#[test]
fn two_keystores_opening_one_empty_folder_at_once_share_one_master_key() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| open(&directory).unwrap()))
            .collect();
        let keystores: Vec<Keystore> = opening
            .into_iter()
            .map(|opening| opening.join().unwrap())
            .collect();
        let keys: Vec<_> = keystores
            .iter()
            .map(|keystore| block_on(keystore.approval_public_key()).unwrap())
            .collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
    });
}

#[test]
fn a_backend_that_is_not_configured_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = software_config(directory.path(), 10);
    config.default_backend = kyso_keystore::BackendName::Pkcs11;
    assert!(matches!(
        Keystore::open(config),
        Err(Error::NoBackend { .. })
    ));
}
