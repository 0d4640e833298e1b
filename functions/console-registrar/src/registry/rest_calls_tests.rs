use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<Calls, String> {
    Properties::read(value, Calls::read).map_err(|faults| faults.to_string())
}

fn subject<'a>(id: &'a AgentId, address: &'a Address) -> Subject<'a> {
    Subject { id, address: Some(address), owner: "o\"\\{{host}}" }
}

fn address() -> Address {
    Address { host: "10.0.0.1".into(), port: 20001 }
}

#[test]
fn without_a_word_the_calls_are_those_of_our_own_document() {
    let calls = read(&json!({})).unwrap();
    let (id, address) = (AgentId("a/b é?".into()), address());
    let subject = subject(&id, &address);
    assert_eq!((calls.list.method, calls.put.method, calls.remove.method), ("GET", "PUT", "DELETE"));
    assert_eq!(filled_path(&calls.put.path, &subject).unwrap(), "/api/agents/a%2Fb%20%C3%A9%3F");
    let body: Value = serde_json::from_str(&calls.put.filled_body(&subject)).unwrap();
    assert_eq!(body, json!({"host": "10.0.0.1", "port": 20001, "owner": "o\"\\{{host}}"}));
    assert_eq!(calls.remove.filled_body(&subject), "");
}

#[test]
fn another_consoles_calls_can_be_described() {
    let value = json!({
        "List": {"Path": "/v2/nodes?prefix={{id}}", "Id": "/name", "Host": "/at/ip", "Port": "/at/port"},
        "Put": {"Method": "POST", "Path": "/v2/nodes", "Body": r#"{"name":"{{id}}","at":{"ip":"{{host}}","port":"{{port}}"}}"#},
        "Remove": {"Method": "POST", "Path": "/v2/nodes/{{id}}/drop"},
        "Header": "X-Api-Key: {{token}}",
    });
    let calls = read(&value).unwrap();
    let (id, address) = (AgentId("a&b".into()), address());
    let subject = subject(&id, &address);
    assert_eq!(filled_path(&calls.list.path, &subject).unwrap(), "/v2/nodes?prefix=a%26b");
    let body: Value = serde_json::from_str(&calls.put.filled_body(&subject)).unwrap();
    assert_eq!(body, json!({"name": "a&b", "at": {"ip": "10.0.0.1", "port": "20001"}}));
    assert!(!calls.list.has_versions() && calls.header.0 == "x-api-key");

    let answer = json!([{"name": "a", "at": {"ip": "10.0.0.1", "port": "20001"}}, {"name": 7}]);
    let entry = |id: &str, address| Entry { id: AgentId(id.into()), address, owner: None, version: None };
    assert_eq!(calls.list.entries(&answer), Ok(vec![entry("a", Some(address.clone())), entry("7", None)]));
    assert!(calls.list.entries(&json!({"nodes": []})).unwrap_err().contains("where Entries says"));
    assert!(calls.list.entries(&json!([{"id": "a"}])).unwrap_err().contains("entry 0 has no text at \"/name\""));
}

#[test]
fn what_cannot_work_is_told_at_once() {
    let value = json!({
        "List": {"Path": "agents", "Entries": "agents", "Host": "/host", "Port": "/port", "Method": "PUT"},
        "Put": {"Path": "/agents/{{nid}}", "Body": "{{host}}"},
        "Remove": {"Path": "/agents"},
        "Header": "Authorization: secret",
    });
    let faults = read(&value).unwrap_err();
    for fault in [
        "#/List/Method must be one of: GET, POST",
        "#/List/Path must begin with /",
        "#/List/Entries must begin with /",
        "#/List/Id is missing",
        "#/Put/Path the placeholder {{nid}} is not known here; did you mean {{id}}?",
        "#/Put/Body must be JSON",
        "#/Remove/Path must have {{id}} in it",
        "#/Header must be a header with the token in it",
    ] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
    let lacks = read(&json!({"Put": {"Path": "/agents/{{id}}", "Body": r#"{"host": "{{host}}"}"#}})).unwrap_err();
    assert_eq!(lacks, "#/Put/Body must have {{port}} in it, if Path does not");
    for header in ["If-Match: {{token}}", "a b: {{token}}", ": {{token}}", "A: é{{token}}", "{{token}}"] {
        assert!(super::header(header).is_err(), "{header}");
    }
}

#[test]
fn dots_are_no_name_in_a_path() {
    let path = Template::parse("/api/agents/{{id}}", &[Id]).unwrap();
    let address = address();
    for id in [".", ".."] {
        let id = AgentId(id.into());
        assert!(matches!(filled_path(&path, &subject(&id, &address)), Err(Trouble::Refused(_))), "{id}");
    }
    let id = AgentId("../agents".into());
    assert_eq!(filled_path(&path, &subject(&id, &address)).unwrap(), "/api/agents/..%2Fagents");
}

proptest! {
    #[test]
    fn no_value_leaves_its_place(id: String, host: String, owner: String, port: u16) {
        let calls = read(&json!({})).unwrap();
        let (id, address) = (AgentId(id), Address { host: host.clone(), port });
        let subject = Subject { id: &id, address: Some(&address), owner: &owner };
        let body: Value = serde_json::from_str(&calls.put.filled_body(&subject)).unwrap();
        prop_assert_eq!(body, json!({"host": host, "port": port, "owner": owner}));
        if let Ok(path) = filled_path(&calls.put.path, &subject) {
            let named = path.strip_prefix("/api/agents/").unwrap();
            prop_assert!(!named.contains(['/', '?', '#']) && named.is_ascii());
            prop_assert_eq!(percent_decode_str(named).decode_utf8().unwrap(), id.0);
        }
    }

    #[test]
    fn a_body_that_is_taken_is_json_with_any_value(body in r#"[{}\[\]":,a1 \\]{0,8}(\{\{host\}\}|\{\{port\}\})[{}\[\]":,a1 \\]{0,8}"#, host: String, port: u16) {
        if let Ok(template) = body_template(&body) {
            let change = Change { method: "PUT", path: Template::parse("/", &[]).unwrap(), body: Some(template) };
            let (id, address) = (AgentId(String::new()), Address { host, port });
            let filled = change.filled_body(&Subject { id: &id, address: Some(&address), owner: "" });
            prop_assert!(serde_json::from_str::<Value>(&filled).is_ok(), "{}", filled);
        }
    }
}
