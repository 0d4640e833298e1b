use serde_json::{Value, json};

use super::*;

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console-AbCdEf";

fn read(value: &Value) -> Result<Settings, String> {
    Properties::read(value, Settings::read).map_err(|faults| faults.to_string())
}

#[test]
fn an_address_and_a_secret_are_enough() {
    let settings = read(&json!({"Url": "HTTPS://Console.example.com:443/", "Credentials": SECRET})).unwrap();
    assert_eq!(settings.identity(), "script-runner https://console.example.com/console/ScriptRunner");
    assert_eq!((settings.credentials(), &settings.scripts), (SECRET, &Scripts::ours().unwrap()));
    let elsewhere = read(&json!({"Url": "http://10.0.0.1:8080/run/", "Credentials": SECRET})).unwrap();
    assert_eq!(elsewhere.identity(), "script-runner http://10.0.0.1:8080/run");
    let longest = read(&json!({"Url": format!("http://c/{}", "a".repeat(491)), "Credentials": SECRET})).unwrap();
    assert!(longest.identity().len() <= 600);
}

#[test]
fn ones_own_scripts_say_what_they_need() {
    let own = |scripts: Value| json!({"Url": "https://c", "Credentials": SECRET, "Scripts": scripts});
    let put = "set_agent {{id}} {{host}}:{{port}}\nputs {{done}}";
    let settings = read(&own(json!({ "Put": put }))).unwrap();
    assert!(
        settings.scripts.put != Scripts::ours().unwrap().put && settings.scripts.list == Scripts::ours().unwrap().list
    );
    let mut with_success = own(json!({"Put": "set_agent {{id}} {{host}}:{{port}}"}));
    with_success["Success"] = json!("all well");
    assert_eq!(read(&with_success).unwrap().success.as_deref(), Some("all well"));

    let wrong = own(
        json!({"Put": "set_agent {{id}} {{hots}}; puts {{done}}", "Remove": "drop {{id}}", "List": "puts {{done}} {{port}}"}),
    );
    assert_eq!(
        read(&wrong).unwrap_err(),
        "#/Scripts/List the placeholder {{port}} is not known here; known are {{id}}, {{done}}; #/Scripts/Put the placeholder \
         {{hots}} is not known here; did you mean {{host}}?; #/Scripts/Remove must end with `puts {{done}}`, which tells that \
         all went well; or Success must be a line that is written then"
    );
    assert_eq!(
        read(&own(json!({"Put": "puts {{id}}{{done}}"}))).unwrap_err(),
        "#/Scripts/Put must have {{host}}, {{port}} in it; known are {{id}}, {{host}}, {{port}}, {{owner}}, {{version}}, {{done}}, \
         {{overtaken}}"
    );
}

#[test]
fn all_that_is_wrong_is_told_and_no_secret_with_it() {
    let value = json!({
        "Url": "https://admin:hunter2@console", "Credentials": "hunter2", "CaCertificate": "hunter2", "Success": " ", "Script": {},
    });
    let faults = read(&value).unwrap_err();
    for path in [
        "#/Url must not",
        "#/Credentials is not the ARN",
        "#/CaCertificate has no certificate",
        "#/Success must be one line",
    ] {
        assert!(faults.contains(path), "{path}: {faults}");
    }
    assert!(faults.contains("did you mean Scripts?") && !faults.contains("hunter2"), "{faults}");
}

#[test]
fn agents_are_read_from_their_lines() {
    let line = "x41. x31. x38.30. x6f. x";
    let wanted = Entry {
        id: AgentId("A".into()),
        address: Some(Address { host: "1".into(), port: 80 }),
        owner: Some("o".into()),
        version: None,
    };
    assert_eq!(entry(line), Some(wanted.clone()));
    assert_eq!(entry("x41. x31. x2d.31. x6f. x"), Some(Entry { address: None, ..wanted }), "a port that is none");
    for words in ["", "x41.", "A 1 80 o v", "x41. x31. x38.30. x6f. x x"] {
        assert_eq!(entry(words), None, "{words}");
    }
}

#[test]
fn nobody_guesses_a_mark() {
    let (one, other) = (Marks::new(), Marks::new());
    assert!(one.done != other.done && one.overtaken != other.overtaken && one.done != one.overtaken);
}
