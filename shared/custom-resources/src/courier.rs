//! Bringing an answer to CloudFormation's bucket.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use tokio::time::{Instant, sleep, timeout};

use crate::response_url::ResponseUrl;

/// How long one try may take; a first connection with TLS takes under one second even with little memory.
const ONE_TRY: Duration = Duration::from_secs(3);
/// Between the first two tries; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why an answer was not taken. Says nothing of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bucket was not reached, or did not answer in time.
    #[error("not reached: {0}")]
    NotReached(String),
    /// It answered with this HTTP status.
    #[error("HTTP status {0}")]
    Status(u16),
}

impl Refusal {
    /// Whether another try may help. An expired or malformed URL stays so.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotReached(_) => true,
            Self::Status(status) => *status >= 500 || [408, 429].contains(status),
        }
    }
}

/// Brings answers.
pub trait Courier: Send + Sync {
    /// One try.
    fn put(&self, url: &ResponseUrl, body: &str) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Tries until the answer is taken, refused for good, or the time is over.
pub(crate) async fn deliver(
    courier: &impl Courier,
    url: &ResponseUrl,
    body: &str,
    deadline: Instant,
) -> Result<(), Refusal> {
    let mut pause = FIRST_PAUSE;
    loop {
        let within = ONE_TRY.min(deadline.saturating_duration_since(Instant::now()));
        let tried = timeout(within, courier.put(url, body)).await;
        let refusal = match tried.unwrap_or_else(|_| Err(Refusal::NotReached("no answer in time".to_owned()))) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        if !refusal.may_pass() || Instant::now() + pause >= deadline {
            return Err(refusal);
        }
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// The AWS SDK's HTTP client and TLS. It sends the URL as it is, which the signature needs.
#[derive(Debug)]
pub struct Https(Connector);

impl Default for Https {
    fn default() -> Self {
        Self(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build())
    }
}

impl Courier for Https {
    async fn put(&self, url: &ResponseUrl, body: &str) -> Result<(), Refusal> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        // Neither error can come of a URL that was checked; their texts might quote it.
        let malformed = |what: &str| Refusal::NotReached(format!("{what} is malformed"));
        request.set_method("PUT").map_err(|_| malformed("the method"))?;
        request.set_uri(url.expose()).map_err(|_| malformed("the URL"))?;
        // The signature is over an empty content type; any other is refused.
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", body.len().to_string());
        match self.0.call(request).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Refusal::Status(answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err(Refusal::NotReached("no answer in time".to_owned())),
            Err(error) if error.is_io() => Err(Refusal::NotReached("the connection failed".to_owned())),
            Err(_) => Err(Refusal::NotReached("the request failed".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response_url::AllowedUrls;
    use std::sync::Mutex;

    /// Answers with these statuses, one after the other; then takes it.
    struct Bucket(Mutex<Vec<Result<(), Refusal>>>, Mutex<usize>);

    impl Courier for Bucket {
        async fn put(&self, _: &ResponseUrl, _: &str) -> Result<(), Refusal> {
            *self.1.lock().unwrap() += 1;
            self.0.lock().unwrap().pop().unwrap_or(Ok(()))
        }
    }

    async fn tries(mut answers: Vec<Result<(), Refusal>>, seconds: u64) -> (Result<(), Refusal>, usize) {
        answers.reverse();
        let bucket = Bucket(Mutex::new(answers), Mutex::new(0));
        let url = AllowedUrls::and("http://x/").check("http://x/").unwrap();
        let end = deliver(&bucket, &url, "{}", Instant::now() + Duration::from_secs(seconds)).await;
        let count = *bucket.1.lock().unwrap();
        (end, count)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_until_the_time_is_over() {
        let passing =
            || vec![Err(Refusal::Status(500)), Err(Refusal::NotReached(String::new())), Err(Refusal::Status(429))];
        assert_eq!(tries(passing(), 60).await, (Ok(()), 4));
        let (end, count) = tries(vec![Err(Refusal::Status(503)); 1000], 10).await;
        assert_eq!(end, Err(Refusal::Status(503)));
        assert!((5..20).contains(&count), "{count}");
        for status in [400, 403, 404, 301] {
            assert_eq!(tries(vec![Err(Refusal::Status(status))], 60).await, (Err(Refusal::Status(status)), 1));
        }
    }
}
