//! Every kind of store keeps the same promises.

use super::*;

/// Waits until a value has expired.
async fn expired(store: &dyn Store, key: &str) {
    let gone = async {
        while store.read(key).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("values expire");
}

/// What any store must do.
pub(super) async fn keeps_its_promises(store: &dyn Store) {
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(store.read("a").await.unwrap(), None);
    store.write("a", value("1"), None).await.unwrap();
    store.write("a", value("2"), None).await.unwrap();
    assert_eq!(store.read("a").await.unwrap(), Some(value("2")));
    assert!(!store.claim("a", value("3"), None).await.unwrap(), "taken");
    assert!(!store.release("a", value("1")).await.unwrap(), "not ours any more");
    assert!(store.release("a", value("2")).await.unwrap());
    assert_eq!(store.read("a").await.unwrap(), None);

    let (short, long) = (Duration::from_millis(500), Duration::from_secs(60));
    assert!(store.claim("lease", value("me"), Some(short)).await.unwrap());
    store.write("other", value("x"), Some(short)).await.unwrap();
    assert!(!store.renew("lease", value("you"), short).await.unwrap());
    assert!(store.renew("lease", value("me"), long).await.unwrap());
    expired(store, "other").await;
    assert!(!store.claim("lease", value("you"), None).await.unwrap(), "renewed in time");
    assert!(store.renew("lease", value("me"), Duration::from_millis(1)).await.unwrap());
    expired(store, "lease").await;
    assert!(!store.renew("lease", value("me"), long).await.unwrap(), "over is over");
    assert!(store.claim("lease", value("you"), None).await.unwrap());

    store.write("list/b", value("1"), Some(Duration::from_millis(1))).await.unwrap();
    store.write("list/c", value("2"), None).await.unwrap();
    store.write("list/d", value("3"), Some(Duration::from_secs(60))).await.unwrap();
    store.write("lisu", value("4"), None).await.unwrap();
    expired(store, "list/b").await;
    let mut listed = store.list("list/", 10).await.unwrap();
    listed.sort();
    let expected = [("list/c".to_owned(), value("2")), ("list/d".to_owned(), value("3"))];
    assert_eq!(listed, expected);
    assert_eq!(store.list("list/", 1).await.unwrap().len(), 1);
    assert!(store.list("none", 10).await.unwrap().is_empty());

    let long = "k".repeat(MAX_KEY_BYTES + 1);
    assert!(matches!(store.write(&long, value("1"), None).await, Err(StoreError::TooLong)));
    assert!(matches!(store.claim(&long, value("1"), None).await, Err(StoreError::TooLong)));
    let large = Bytes::from(vec![0; MAX_VALUE_BYTES + 1]);
    assert!(matches!(store.write("a", large, None).await, Err(StoreError::TooLong)));
}

#[tokio::test]
async fn in_memory() {
    keeps_its_promises(&MemoryStore::default()).await;
}

/// A path for a file of this test alone.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gamewire-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[tokio::test]
async fn in_a_file() {
    let path = scratch("store");
    let store = FileStore::open(&path).unwrap();
    keeps_its_promises(&store).await;
    store.write("kept", Bytes::from_static(b"yes"), None).await.unwrap();
    store.write("gone", Bytes::from_static(b"no"), Some(Duration::from_millis(1))).await.unwrap();
    assert!(FileStore::open(&path).is_err(), "one at a time");
    drop(store);
    let store = FileStore::open(&path).unwrap();
    assert_eq!(store.read("kept").await.unwrap(), Some(Bytes::from_static(b"yes")));
    assert_eq!(store.read("gone").await.unwrap(), None);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let path = scratch("no-store");
    std::fs::write(&path, "Dear diary, today I met a database.").unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "Dear diary, today I met a database.");
    std::fs::remove_file(&path).unwrap();
}
