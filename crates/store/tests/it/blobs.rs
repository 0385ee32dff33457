//! Blobs, plain and sealed.

use std::os::unix::fs::PermissionsExt as _;

use kyso_store::testing::Database;
use kyso_store::{BlobId, Error, SealedBlobs};

crate::on_both![
    bytes_are_found_under_their_digest_and_kept_once,
    a_damaged_blob_is_not_handed_out,
    a_large_blob_comes_back_whole,
    evidence_is_readable_with_the_data_key_and_the_right_context_only,
];

async fn bytes_are_found_under_their_digest_and_kept_once(database: Database) {
    let mut tx = database.store.write().await.unwrap();
    let id = tx.put_blob(b"%PDF-1.7").await.unwrap();
    assert_eq!(tx.put_blob(b"%PDF-1.7").await.unwrap(), id);
    assert_eq!(id, BlobId::of(b"%PDF-1.7"));
    assert_eq!(tx.read_blob(&id).await.unwrap(), b"%PDF-1.7");
    let empty = tx.put_blob(b"").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(database.store.read_blob(&id).await.unwrap(), b"%PDF-1.7");
    assert_eq!(database.store.read_blob(&empty).await.unwrap(), b"");
    let other = BlobId::of(b"never stored");
    assert!(matches!(
        database.store.read_blob(&other).await,
        Err(Error::BlobMissing { .. })
    ));

    let mut tx = database.store.write().await.unwrap();
    tx.delete_blob(&id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(
        database.store.read_blob(&id).await,
        Err(Error::BlobMissing { .. })
    ));
}

async fn a_damaged_blob_is_not_handed_out(database: Database) {
    let mut tx = database.store.write().await.unwrap();
    let id = tx.put_blob(b"%PDF-1.7").await.unwrap();
    let other = tx.put_blob(b"%PDF-2.0").await.unwrap();
    tx.commit().await.unwrap();
    let swap = format!(
        "UPDATE blob SET bytes = (SELECT bytes FROM blob WHERE id = '{other}') WHERE id = '{id}'"
    );
    database.tamper(&swap).await;
    assert!(matches!(
        database.store.read_blob(&id).await,
        Err(Error::BlobDamaged { .. })
    ));
}

async fn a_large_blob_comes_back_whole(database: Database) {
    let bytes: Vec<u8> = (0..5_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut tx = database.store.write().await.unwrap();
    let id = tx.put_blob(&bytes).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(database.store.read_blob(&id).await.unwrap(), bytes);
}

async fn evidence_is_readable_with_the_data_key_and_the_right_context_only(database: Database) {
    let file = database.folder.path().join("data.key");
    let sealed = SealedBlobs::open(&file).unwrap();
    let mut tx = database.store.write().await.unwrap();
    let id = sealed.put(&mut tx, "enr_1", b"a photograph").await.unwrap();
    tx.commit().await.unwrap();
    let stored = database.store.read_blob(&id).await.unwrap();
    assert!(!stored.windows(5).any(|part| part == b"photo"));
    // Another process with the same key file.
    let reopened = SealedBlobs::open(&file).unwrap();
    assert_eq!(
        reopened.read(&database.store, "enr_1", &id).await.unwrap(),
        b"a photograph"
    );
    assert!(matches!(
        reopened.read(&database.store, "enr_2", &id).await,
        Err(Error::BlobSealed { .. })
    ));
    let stranger = SealedBlobs::open(&database.folder.path().join("other.key")).unwrap();
    assert!(matches!(
        stranger.read(&database.store, "enr_1", &id).await,
        Err(Error::BlobSealed { .. })
    ));
}

#[tokio::test]
async fn a_data_key_others_may_read_is_refused() {
    let database = Database::sqlite().await;
    let file = database.folder.path().join("data.key");
    SealedBlobs::open(&file).unwrap();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        SealedBlobs::open(&file),
        Err(Error::DataKey { .. })
    ));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, b"short").unwrap();
    assert!(matches!(
        SealedBlobs::open(&file),
        Err(Error::DataKey { .. })
    ));
}
