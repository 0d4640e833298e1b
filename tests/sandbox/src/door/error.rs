//! Errors in each of AWS's protocols: writing one, and reading the code of one.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::forward::Answer;

/// How a service writes its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON and REST JSON: `__type` in the body and `x-amzn-errortype` in the header.
    Json,
    /// AWS query: `<ErrorResponse>`.
    Query,
    /// S3: `<Error>`.
    Xml,
    /// Smithy RPC v2 CBOR: the JSON form as CBOR.
    Cbor,
}

/// A refusal as the service itself would write it.
pub(crate) fn answer(protocol: Protocol, status: u16, code: &str, message: &str) -> Answer {
    let mut headers = HeaderMap::new();
    let mut header = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    header("x-amzn-requestid", &crate::ids::uuid());
    let (code_text, message_text) = (escaped(code), escaped(message));
    let body = match protocol {
        Protocol::Json => {
            header("content-type", "application/x-amz-json-1.1");
            header("x-amzn-errortype", code);
            json!({ "__type": code, "message": message }).to_string().into_bytes()
        }
        Protocol::Query => {
            header("content-type", "text/xml");
            let error =
                format!("<Error><Type>Sender</Type><Code>{code_text}</Code><Message>{message_text}</Message></Error>");
            format!("<ErrorResponse>{error}<RequestId>{}</RequestId></ErrorResponse>", crate::ids::uuid()).into_bytes()
        }
        Protocol::Xml => {
            header("content-type", "application/xml");
            format!("<Error><Code>{code_text}</Code><Message>{message_text}</Message></Error>").into_bytes()
        }
        Protocol::Cbor => {
            header("content-type", "application/cbor");
            header("smithy-protocol", "rpc-v2-cbor");
            // For our own record; the protocol does not need it.
            header("x-amzn-errortype", code);
            let mut body = vec![0xa2]; // a map of two
            for text in ["__type", code, "message", message] {
                cbor_text(&mut body, text);
            }
            body
        }
    };
    Answer { status, headers, body: body.into() }
}

/// The error code of a refused call, from its header or its body.
pub(crate) fn code(header: Option<&str>, body: &[u8]) -> Option<String> {
    let short = |code: &str| {
        // `prefix#Code:http://…` are the decorations that clients must ignore (AWS JSON protocol, error handling).
        let code = code.rsplit('#').next().unwrap_or(code);
        code.split(':').next().unwrap_or(code).to_owned()
    };
    if let Some(code) = header {
        return Some(short(code));
    }
    if let Ok(body) = serde_json::from_slice::<Value>(body) {
        return ["__type", "code", "Code"].into_iter().find_map(|name| body.get(name)?.as_str().map(short));
    }
    let text = String::from_utf8_lossy(body);
    between(&text, "<Code>", "</Code>").map(short)
}

/// The text of a refused call, from its body.
pub(crate) fn message(body: &str) -> Option<String> {
    if let Ok(body) = serde_json::from_str::<Value>(body) {
        return ["message", "Message"].into_iter().find_map(|name| body.get(name)?.as_str().map(str::to_owned));
    }
    between(body, "<Message>", "</Message>").map(str::to_owned)
}

pub(super) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    Some(text.split_once(open)?.1.split_once(close)?.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text string of up to 65,535 bytes (RFC 8949, major type 3 with a two-byte length).
fn cbor_text(body: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    body.push(0x79);
    body.extend(length.to_be_bytes());
    body.extend(&text.as_bytes()[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_reads_back_what_it_wrote() {
        for protocol in [Protocol::Json, Protocol::Query, Protocol::Xml] {
            let answer = answer(protocol, 400, "Throttling", "Rate <exceeded>");
            assert_eq!(code(None, &answer.body).as_deref(), Some("Throttling"), "{protocol:?}");
            assert!(message(&String::from_utf8_lossy(&answer.body)).unwrap().starts_with("Rate "), "{protocol:?}");
        }
        let answer = answer(Protocol::Cbor, 400, "Throttling", "Rate exceeded");
        assert_eq!(&answer.body[..10], b"\xa2\x79\x00\x06__type");
    }

    #[test]
    fn decorations_of_a_code_go_away() {
        let body = br#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#;
        assert_eq!(code(None, body).as_deref(), Some("ResourceNotFoundException"));
        assert_eq!(code(Some("AccessDenied:http://x/"), b"").as_deref(), Some("AccessDenied"));
        assert_eq!(code(None, b"nothing"), None);
    }
}
