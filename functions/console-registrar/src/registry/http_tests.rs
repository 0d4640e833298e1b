use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use watchkeeper_secrets::Hidden;

use super::*;

const PASSWORD: &str = "hunter2";

/// Says these answers, one for each connection; then nothing any more.
struct Server {
    address: std::net::SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answers: &[&str], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let (counted, answers) = (Arc::clone(&calls), answers.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let stream = listener.accept().await.unwrap().0;
                let answer = answers.get(counted.fetch_add(1, Ordering::SeqCst)).cloned();
                match (answer, &tls) {
                    (None, _) => silent.push(stream),
                    (Some(answer), None) => say(stream, &answer).await,
                    (Some(answer), Some(tls)) => {
                        // A client that does not trust us hangs up.
                        if let Ok(stream) = tls.accept(stream).await {
                            say(stream, &answer).await;
                        }
                    }
                }
            }
        });
        Self { address, calls }
    }

    async fn call(&self, http: &Http, scheme: &str, host: &str) -> Result<Answer, Trouble> {
        let console = Endpoint::parse(&format!("{scheme}://{host}:{}", self.address.port())).unwrap();
        let hush = Hush::of(&[&Hidden::from(PASSWORD)]);
        let call = Call {
            console: &console,
            method: "POST",
            url: console.with("/x"),
            headers: vec![("x-key".into(), PASSWORD.into())],
            body: PASSWORD.into(),
            hush,
        };
        http.send(&call).await
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(PASSWORD.as_bytes()) || !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
    }
    // Who reads no more than its limit hangs up before the end.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn http(authorities: Option<&CaCertificate>) -> Http {
    let milliseconds = Duration::from_millis;
    let pace =
        Pace { one_try: milliseconds(2000), all_tries: milliseconds(6000), pause: milliseconds(10), ..Pace::default() };
    Http::new(authorities, pace).unwrap()
}

async fn outcome(answers: &[String]) -> (Result<Answer, Trouble>, usize) {
    let server = Server::start(&answers.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    let outcome = server.call(&http(None), "http", "127.0.0.1").await;
    (outcome, server.calls())
}

fn text(outcome: Result<Answer, Trouble>) -> Trouble {
    let Err(trouble) = outcome else { panic!("it should not have gone well") };
    assert!(!trouble.to_string().contains(PASSWORD), "{trouble}");
    trouble
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_rest_is_not() {
    let (went, calls) =
        outcome(&[answer(503, "", "no"), answer(429, "retry-after: 0\r\n", ""), answer(200, "", "yes")]).await;
    assert_eq!((went.unwrap().body.as_str(), calls), ("yes", 3));
    let (went, calls) = outcome(&[answer(404, "", "none"), answer(200, "", "")]).await;
    assert_eq!((went.unwrap().status, calls), (404, 1));

    let busy =
        [answer(500, "", "a"), answer(502, "", "b"), answer(503, "", "<b>hunter2</b>\nmore"), answer(200, "", "")];
    let (went, calls) = outcome(&busy).await;
    let Trouble::Unavailable(said) = text(went) else { panic!("it may pass") };
    assert!(said.contains("HTTP status 503: <b>[redacted]</b> (3 tries)") && calls == 3, "{said}");

    let cut_off = "HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\nhalf".to_owned();
    let (went, calls) = outcome(&[cut_off.clone(), cut_off, answer(200, "", "whole")]).await;
    assert_eq!((went.unwrap().body.as_str(), calls), ("whole", 3));
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let later = httpdate(SystemTime::now() + Duration::from_mins(10));
    for wait in ["600", "18446744073709551615", &later] {
        let (went, calls) =
            outcome(&[answer(503, &format!("retry-after: {wait}\r\n"), "busy"), answer(200, "", "")]).await;
        assert!(matches!(text(went), Trouble::Unavailable(said) if said.contains("busy (1 try)")), "{wait}");
        assert_eq!(calls, 1);
    }
    let begin = std::time::Instant::now();
    let (went, calls) = outcome(&[answer(429, "retry-after: 1\r\n", ""), answer(200, "", "")]).await;
    assert!(went.is_ok() && calls == 2 && begin.elapsed() >= Duration::from_secs(1));
}

fn httpdate(at: SystemTime) -> String {
    DateTime::from(at).fmt(Format::HttpDate).unwrap()
}

#[tokio::test]
async fn redirects_and_floods_are_refused() {
    let (went, calls) =
        outcome(&[answer(302, "location: https://other/login?token=hunter2\r\n", ""), answer(200, "", "")]).await;
    let Trouble::Refused(said) = text(went) else { panic!("it will not pass") };
    assert!(said.contains("302, a redirect to https://other/login;") && calls == 1, "{said}");

    let (went, calls) = outcome(&[answer(200, "", &"x".repeat(LONGEST_ANSWER + 1)), answer(200, "", "")]).await;
    assert!(matches!(text(went), Trouble::Refused(said) if said.contains("more than 1048576 bytes")));
    assert_eq!(calls, 1);
    let (went, _) = outcome(&[answer(200, "", &"x".repeat(LONGEST_ANSWER))]).await;
    assert_eq!(went.unwrap().body.len(), LONGEST_ANSWER);
}

#[tokio::test]
async fn nobody_and_silence_may_pass() {
    let server = Server::start(&[], None).await;
    let pace = Pace { one_try: Duration::from_millis(100), pause: Duration::from_millis(1), ..Pace::default() };
    let silence = text(server.call(&Http::new(None, pace).unwrap(), "http", "127.0.0.1").await);
    assert!(
        matches!(&silence, Trouble::Unavailable(said) if said.contains("no answer within 0.1 s (3 tries)")),
        "{silence}"
    );
    assert_eq!(server.calls(), 3);

    let address = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let nobody = Server { address, calls: Arc::default() };
    let nobody = text(nobody.call(&http(None), "http", "127.0.0.1").await);
    assert!(matches!(&nobody, Trouble::Unavailable(said) if said.contains("Connection refused")), "{nobody}");
}

struct Authority {
    pem: CaCertificate,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { pem: CaCertificate::parse(&issuer.pem()).unwrap(), issuer }
    }

    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_and_its_name() {
    let (ours, other) = (Authority::new(), Authority::new());
    let yes = answer(200, "", "yes");
    for (trusted, name, is) in [
        (Some(&ours.pem), "localhost", true),
        (Some(&ours.pem), "console.example.com", false),
        (Some(&other.pem), "localhost", false),
        (None, "localhost", false),
    ] {
        let server = Server::start(&[&yes, &yes, &yes], Some(ours.server(name))).await;
        let went = server.call(&http(trusted), "https", "localhost").await;
        assert_eq!((went.is_ok(), server.calls()), (is, 1), "{trusted:?} {name}");
        if !is {
            let trouble = text(went);
            assert!(
                matches!(&trouble, Trouble::Refused(said) if said.contains("is not trusted: invalid peer certificate")),
                "{trouble}"
            );
        }
    }
    let both = format!("{}{}", other.issuer.pem(), ours.issuer.pem());
    let server = Server::start(&[&yes], Some(ours.server("localhost"))).await;
    let both = http(Some(&CaCertificate::parse(&both).unwrap()));
    assert_eq!(server.call(&both, "https", "localhost").await.unwrap().body, "yes");
}

#[test]
fn what_is_no_authority_is_refused() {
    let begin = "-----BEGIN CERTIFICATE-----\n";
    let end = "-----END CERTIFICATE-----\n";
    let key = KeyPair::generate().unwrap().serialize_pem();
    for pem in ["", "hunter2", &format!("{begin}!\n{end}"), &format!("{begin}aGFsbG8=\n{end}"), begin, &key] {
        assert!(CaCertificate::parse(pem).unwrap_err().contains("it must be PEM"), "{pem}");
    }
}
