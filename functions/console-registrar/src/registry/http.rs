//! One thin HTTP client for Consoles: the AWS SDK's own, so that there is one TLS stack in the function.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::date_time::Format;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::{Instant, sleep, timeout};
use watchkeeper_custom_resources::Properties;

use super::Trouble;
use super::endpoint::Endpoint;
use super::said::Hush;

/// More is read of no answer.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// Tries of one call.
const TRIES: u32 = 3;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// For a connection without its TLS; an address that nobody has does not answer at all.
    pub connect: Duration,
    /// For one try, with its answer.
    pub one_try: Duration,
    /// For all tries of a call and the pauses between them.
    pub all_tries: Duration,
    /// Before the second try; twice as long before the third, each longer or shorter by up to a half.
    pub pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        // A function has 60 s, in which it may have several Consoles to call.
        let seconds = Duration::from_secs;
        Self { connect: seconds(3), one_try: seconds(10), all_tries: seconds(20), pause: Duration::from_millis(200) }
    }
}

/// Certificates of authorities, as PEM, that are trusted instead of the public ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaCertificate(String);

impl CaCertificate {
    /// The property `CaCertificate`, if it is there.
    pub(crate) fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let found = Self::parse(properties.optional_text("CaCertificate")?);
        found.map_err(|fault| properties.fault("CaCertificate", fault)).ok()
    }

    /// The SDK's client panics at what is none, so it is looked at here first.
    pub(crate) fn parse(pem: &str) -> Result<Self, String> {
        let wanted = "it must be PEM: -----BEGIN CERTIFICATE-----, lines of base64, -----END CERTIFICATE-----";
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| format!("cannot be read; {wanted}"))?;
            roots.add(certificate).map_err(|_| format!("has no certificate in its PEM; {wanted}"))?;
        }
        if roots.is_empty() { Err(format!("has no certificate in it; {wanted}")) } else { Ok(Self(pem.to_owned())) }
    }
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) console: &'a Endpoint,
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) hush: Hush,
}

/// What a Console answered, if it was neither a redirect nor that it cannot now.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    hush: Hush,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first line of this part of it, fit for ops.
    pub(crate) fn line(&self, part: &str) -> String {
        self.hush.line(part)
    }
}

/// What may be tried again, and when at the earliest.
struct Passing {
    trouble: String,
    not_before: Duration,
}

enum Failed {
    MayPass(Passing),
    ForGood(Trouble),
}

/// The client.
#[derive(Debug)]
pub(crate) struct Http {
    connector: Connector,
    pace: Pace,
}

impl Http {
    /// Trusts these authorities, or else the machine's.
    pub(crate) fn new(authorities: Option<&CaCertificate>, pace: Pace) -> Result<Self, Trouble> {
        let trusted = match authorities {
            Some(CaCertificate(pem)) => TrustStore::empty().with_pem_certificate(pem.as_bytes()),
            None => TrustStore::default(),
        };
        let settings = HttpConnectorSettings::builder().connect_timeout(pace.connect).build();
        let connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let context = TlsContext::builder().with_trust_store(trusted).build();
        let context = context.map_err(|error| Trouble::Refused(format!("CaCertificate cannot be used: {error}")))?;
        Ok(Self { connector: connector.tls_context(context).build(), pace })
    }

    /// Calls, again if it may help and there is time.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, Trouble> {
        let deadline = Instant::now() + self.pace.all_tries;
        let mut pause = self.pace.pause;
        let mut tries = 1;
        loop {
            let within = self.pace.one_try.min(deadline.saturating_duration_since(Instant::now()));
            let outcome = timeout(within, self.one_try(call)).await;
            let no_answer = || {
                let seconds = within.as_secs_f64();
                let trouble = format!("the Console at {} gave no answer within {seconds:.1} s", call.console);
                Err(Failed::MayPass(Passing { trouble, not_before: Duration::ZERO }))
            };
            let passing = match outcome.unwrap_or_else(|_| no_answer()) {
                Ok(answer) => return Ok(answer),
                Err(Failed::ForGood(trouble)) => return Err(trouble),
                Err(Failed::MayPass(passing)) => passing,
            };
            let wait = pause.mul_f64(0.5 + fastrand::f64()).max(passing.not_before);
            if tries == TRIES || wait >= deadline.saturating_duration_since(Instant::now()) {
                let times = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
                return Err(Trouble::Unavailable(format!("{} ({times})", passing.trouble)));
            }
            sleep(wait).await;
            pause *= 2;
            tries += 1;
        }
    }

    async fn one_try(&self, call: &Call<'_>) -> Result<Answer, Failed> {
        let request = request(call).map_err(Failed::ForGood)?;
        let answer = self.connector.call(request).await.map_err(|error| not_reached(call.console, &error))?;
        let status = answer.status().as_u16();
        let not_before = not_before(&answer);
        if (300..400).contains(&status) {
            let to = answer.headers().get("location").unwrap_or_default();
            let to = call.hush.line(to.split(['?', '#']).next().unwrap_or_default());
            return Err(Failed::ForGood(Trouble::Refused(format!(
                "the Console at {} answered with HTTP status {status}, a redirect to {to}; redirects are not followed: Url must be \
                 where it ends",
                call.console
            ))));
        }
        let body = read(call.console, answer.into_body()).await?;
        if matches!(status, 408 | 429 | 500..) {
            let said = call.hush.line(&body);
            let trouble = format!("the Console at {} answered with HTTP status {status}: {said}", call.console);
            return Err(Failed::MayPass(Passing { trouble, not_before }));
        }
        Ok(Answer { status, body, hush: call.hush.clone() })
    }
}

fn request(call: &Call<'_>) -> Result<HttpRequest, Trouble> {
    // The errors might quote a header.
    let malformed =
        || Trouble::Refused(format!("the Console at {} cannot be called: the request is malformed", call.console));
    let mut request = HttpRequest::new(SdkBody::from(call.body.as_str()));
    request.set_method(call.method).map_err(|_| malformed())?;
    request.set_uri(call.url.as_str()).map_err(|_| malformed())?;
    for (name, value) in &call.headers {
        request.headers_mut().try_insert(name.clone(), value.clone()).map_err(|_| malformed())?;
    }
    Ok(request)
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn not_before(answer: &HttpResponse) -> Duration {
    let text = answer.headers().get("retry-after").unwrap_or_default().trim();
    let date = || SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok();
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| date()?.duration_since(SystemTime::now()).ok()).unwrap_or_default()
}

async fn read(console: &Endpoint, body: SdkBody) -> Result<String, Failed> {
    let mut body = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            let trouble = format!("the answer of the Console at {console} was cut off");
            return Err(Failed::MayPass(Passing { trouble, not_before: Duration::ZERO }));
        };
        if bytes.len() + chunk.len() > LONGEST_ANSWER {
            let trouble = format!("the answer of the Console at {console} has more than {LONGEST_ANSWER} bytes");
            return Err(Failed::ForGood(Trouble::Refused(trouble)));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn not_reached(console: &Endpoint, error: &ConnectorError) -> Failed {
    let innermost = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let tls = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidCertificate(_)) = tls {
        return Failed::ForGood(Trouble::Refused(format!(
            "the certificate of the Console at {console} is not trusted: {innermost}. Url must have the name that the certificate \
             has, and CaCertificate the certificate of the authority that signed it, if that is not a public one"
        )));
    }
    let what = if error.is_timeout() { "no connection in time" } else { innermost.as_str() };
    let trouble = format!("the Console at {console} was not reached: {what}");
    Failed::MayPass(Passing { trouble, not_before: Duration::ZERO })
}

/// An error and all that is behind it. An I/O error hides the one that it holds behind that one's own source.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|held| held as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
