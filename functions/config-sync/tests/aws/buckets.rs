//! The newest object under a prefix.

use std::time::Instant;

use config_sync::declared::Source;
use config_sync::document::{Content, Reading};
use config_sync::world::Documents;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::local::{Local, SOON, refused, with_sandbox};

async fn put(local: &Local, path: &str, body: &str) {
    local.sandbox.aws().rest("s3", "PUT", path, body.as_bytes().to_vec()).await.unwrap();
}

async fn bucket(local: &Local, name: &str) {
    let region = "<LocationConstraint>eu-west-1</LocationConstraint>";
    let body = format!("<CreateBucketConfiguration>{region}</CreateBucketConfiguration>");
    put(local, &format!("/{name}"), &body).await;
}

fn newest(bucket: &str, prefix: &str) -> Source {
    Source::Newest { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
}

fn value(reading: &Reading, name: &str) -> String {
    let Content::Values(values) = &reading.content else { panic!("no values") };
    values[name].reveal().to_owned()
}

#[test]
fn the_newest_object_is_found_and_named() {
    with_sandbox(async |local| {
        bucket(local, "snapshots").await;
        let source = newest("snapshots", "gold/");
        assert_eq!(refused(local.vault.reading(&source).await), "there is no object under s3://snapshots/gold/");
        put(local, "/snapshots/gold/", "").await;
        assert_eq!(refused(local.vault.reading(&source).await), "there is no object under s3://snapshots/gold/");

        put(local, "/snapshots/gold/2%20%C3%BC.zip", "two").await;
        put(local, "/snapshots/silver/9.zip", "nine").await;
        let reading = local.vault.reading(&source).await.unwrap();
        assert_eq!(value(&reading, "key"), "gold/2 ü.zip");
        assert_eq!(value(&reading, "uri"), "s3://snapshots/gold/2 ü.zip");
        assert_eq!((value(&reading, "bucket"), value(&reading, "size")), ("snapshots".to_owned(), "3".to_owned()));
        assert_eq!(reading.version.0, format!("gold/2 ü.zip@{}", value(&reading, "etag")));
        assert_eq!(local.vault.version(&source).await.unwrap(), reading.version);
        assert_eq!(local.vault.may_be_source(&source, "agents").await, Ok(()));

        // Another content under the same key is another version.
        put(local, "/snapshots/gold/2%20%C3%BC.zip", "three").await;
        assert_ne!(local.vault.version(&source).await.unwrap(), reading.version);
        // An earlier name that is newer, as soon as S3's clock shows it.
        let deadline = Instant::now() + SOON;
        loop {
            put(local, "/snapshots/gold/1.zip", "one").await;
            if value(&local.vault.reading(&source).await.unwrap(), "key") == "gold/1.zip" {
                break;
            }
            assert!(Instant::now() < deadline, "the newest is not found");
        }
    });
}

#[test]
fn objects_on_later_pages_are_looked_at_too() {
    with_sandbox(async |local| {
        bucket(local, "pages").await;
        for batch in 0..11 {
            let puts: Vec<_> = (0..100)
                .map(|nth| tokio::spawn(async move { put(local, &format!("/pages/a/{batch:02}{nth:02}"), "x").await }))
                .collect();
            for one in puts {
                one.await.unwrap();
            }
        }
        // Those with the latest names were put last.
        let reading = local.vault.reading(&newest("pages", "a/")).await.unwrap();
        assert!(value(&reading, "key").starts_with("a/10"), "{}", value(&reading, "key"));
    });
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    with_sandbox(async |local| {
        let trouble = local.vault.reading(&newest("nowhere", "")).await.unwrap_err();
        assert!(!trouble.may_pass() && trouble.to_string().contains("s3://nowhere/: NoSuchBucket"), "{trouble}");
    });
}

/// An S3 that has another page of objects, whichever was asked for.
async fn endless(listener: TcpListener) {
    for page in 1.. {
        let mut caller = BufReader::new(listener.accept().await.unwrap().0);
        let mut line = String::new();
        while caller.read_line(&mut line).await.unwrap() > 2 {
            line.clear();
        }
        let object = format!("<Key>{page}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size>");
        let next = format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{page}</NextContinuationToken>");
        let body = format!("<ListBucketResult>{next}<Contents>{object}</Contents></ListBucketResult>");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        caller.write_all((head + &body).as_bytes()).await.unwrap();
    }
}

#[test]
fn a_bucket_without_an_end_is_refused() {
    with_sandbox(async |local| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let vault = local.at(&format!("http://{}", listener.local_addr().unwrap()));
        let source = newest("logs", "");
        let outcome = tokio::select! {
            outcome = vault.reading(&source) => outcome,
            () = endless(listener) => unreachable!("it has no end"),
        };
        let said = refused(outcome);
        assert!(
            said.contains("more than 50,000 objects under s3://logs/") && said.contains("a longer prefix"),
            "{said}"
        );
    });
}
