//! Parameters: read, written without losing what others write, and refused.

use config_sync::declared::Source;
use config_sync::document::{Content, Document, Place};
use config_sync::trouble::Trouble;
use config_sync::world::{Documents, Written};
use serde_json::{Value, json};
use time::OffsetDateTime;
use watchkeeper_secrets::Hidden;

use crate::local::{Local, refused, token, with_sandbox};

async fn parameter(local: &Local, name: &str, more: Value) -> Place {
    let mut request = json!({ "Name": name, "Type": "String", "Value": "one" });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    local.parameters("PutParameter", request).await;
    place(name)
}

fn place(name: &str) -> Place {
    let name = name.strip_prefix('/').unwrap_or(name);
    Place::Parameter(format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{name}"))
}

async fn overwrite(local: &Local, name: &str, text: &str) {
    local.parameters("PutParameter", json!({ "Name": name, "Value": text, "Overwrite": true })).await;
}

async fn described(local: &Local, name: &str) -> Value {
    let filters = json!([{ "Key": "Name", "Option": "Equals", "Values": [name] }]);
    local.parameters("DescribeParameters", json!({ "ParameterFilters": filters })).await["Parameters"][0].clone()
}

async fn write(local: &Local, place: &Place, base: &Document, text: &str) -> Result<Written, Trouble> {
    local.vault.write(place, base, &token(&base.version, text), &Hidden::from(text)).await
}

#[test]
fn a_parameter_is_read_whatever_its_type_and_name() {
    with_sandbox(async |local| {
        for (name, kind) in [("/read/text", "String"), ("/read/secure", "SecureString"), ("read-plain", "SecureString")]
        {
            let before = OffsetDateTime::now_utc();
            let place = parameter(local, name, json!({ "Type": kind })).await;
            let document = local.vault.document(&place).await.unwrap();
            assert_eq!((document.text.reveal(), document.version.0.as_str()), ("one", "1"));
            assert!(document.made_at >= before && document.changed_at == document.made_at, "{document:?}");
            let source = Source::Document(place);
            let reading = local.vault.reading(&source).await.unwrap();
            assert_eq!(reading.content, Content::Text(Hidden::from("one")));
            assert_eq!(reading.version, document.version);
            overwrite(local, name, "two").await;
            assert_eq!(local.vault.version(&source).await.unwrap().0, "2");
        }
        let trouble = local.vault.document(&place("/read/none")).await.unwrap_err();
        assert!(
            !trouble.may_pass() && trouble.to_string().contains("parameter /read/none: ParameterNotFound"),
            "{trouble}"
        );
    });
}

#[test]
fn a_write_keeps_all_that_is_not_the_text() {
    with_sandbox(async |local| {
        let own = json!({
            "Type": "SecureString", "KeyId": "alias/own", "Tier": "Advanced", "Description": "ours", "AllowedPattern": ".*",
        });
        for (name, more) in [("/write/secure", own), ("/write/text", json!({})), ("write-plain", json!({}))] {
            let place = parameter(local, name, more).await;
            let (before, base) = (described(local, name).await, local.vault.document(&place).await.unwrap());
            let text = "{\"a\": \"'\\\"\\\\(${}%\"}\r\nü";
            assert_eq!(write(local, &place, &base, text).await, Ok(Written::Done));
            let written = local.vault.document(&place).await.unwrap();
            assert_eq!((written.text.reveal(), written.version.0.as_str()), (text, "2"));
            let after = described(local, name).await;
            for kept in ["Name", "Type", "KeyId", "Tier", "DataType", "Description", "AllowedPattern"] {
                assert_eq!(after[kept], before[kept], "{kept} of {name}");
            }
            // Again, from the same look, and from the new one: nothing is written.
            assert_eq!(write(local, &place, &base, text).await, Ok(Written::Done));
            assert_eq!(write(local, &place, &written, text).await, Ok(Written::Done));
            assert_eq!(local.vault.document(&place).await.unwrap(), written);
        }
    });
}

#[test]
fn what_does_not_fit_is_told_before() {
    with_sandbox(async |local| {
        for (name, tier, largest) in [("/fit/standard", "Standard", 4_096), ("/fit/advanced", "Advanced", 8_192)] {
            let place = parameter(local, name, json!({ "Tier": tier })).await;
            let base = local.vault.document(&place).await.unwrap();
            let said = refused(write(local, &place, &base, &"x".repeat(largest + 1)).await);
            assert!(said.contains(&format!("would have {} bytes, and it takes 1 to {largest}", largest + 1)), "{said}");
            assert_eq!(local.vault.document(&place).await.unwrap(), base);
            assert_eq!(write(local, &place, &base, &"x".repeat(largest)).await, Ok(Written::Done));
        }
    });
}

#[test]
fn what_somebody_wrote_in_between_is_current_again() {
    with_sandbox(async |local| {
        let name = "/between/before";
        let place = parameter(local, name, json!({})).await;
        let base = local.vault.document(&place).await.unwrap();
        overwrite(local, name, "theirs").await;
        assert_eq!(write(local, &place, &base, "ours").await, Ok(Written::Overtaken));
        let now = local.vault.document(&place).await.unwrap();
        assert_eq!((now.text.reveal(), now.version.0.as_str()), ("theirs", "2"));

        // After it was looked at for the last time: one version, or several.
        for (name, theirs) in [("/between/one", vec!["theirs"]), ("/between/three", vec!["first", "second", "theirs"])]
        {
            let place = parameter(local, name, json!({ "Type": "SecureString", "KeyId": "alias/own" })).await;
            let base = local.vault.document(&place).await.unwrap();
            let held = local.hold("ssm", "GetParameter", &[name]).await;
            let others = async {
                held.reached(name).await;
                for text in &theirs {
                    let put = json!({ "Name": name, "Value": text, "Overwrite": true, "KeyId": "alias/own" });
                    local.parameters("PutParameter", put).await;
                }
                drop(held);
            };
            let (written, ()) = tokio::join!(write(local, &place, &base, "ours"), others);
            assert_eq!(written, Ok(Written::Overtaken));
            let now = local.vault.document(&place).await.unwrap();
            // The first, theirs, ours, and theirs again.
            assert_eq!((now.text.reveal(), now.version.0.clone()), ("theirs", (theirs.len() + 3).to_string()));
            assert_eq!(described(local, name).await["KeyId"], "alias/own");
        }
    });
}

#[test]
fn who_writes_while_theirs_is_put_back_is_not_lost_either() {
    with_sandbox(async |local| {
        let name = "/between/again";
        let place = parameter(local, name, json!({})).await;
        let base = local.vault.document(&place).await.unwrap();
        let second = format!("{name}:2");
        let held = local.hold("ssm", "GetParameter", &[name, &second]).await;
        let others = async {
            held.reached(name).await;
            overwrite(local, name, "theirs").await;
            held.release();
            // Theirs is version 2, ours 3; while 2 is read, to be put back, there comes another.
            held.reached(&second).await;
            overwrite(local, name, "newest").await;
            drop(held);
        };
        let (written, ()) = tokio::join!(write(local, &place, &base, "ours"), others);
        assert_eq!(written, Ok(Written::Overtaken));
        let now = local.vault.document(&place).await.unwrap();
        assert_eq!(now.text.reveal(), "newest");
    });
}

#[test]
fn a_write_of_ours_that_is_repeated_is_nobody_elses() {
    with_sandbox(async |local| {
        let name = "/repeated";
        let place = parameter(local, name, json!({})).await;
        let base = local.vault.document(&place).await.unwrap();
        let held = local.hold("ssm", "PutParameter", &[name]).await;
        let (token, text) = (token(&base.version, "two"), Hidden::from("two"));
        // Its answer does not come: the client asks again.
        let written = local.impatient().write(&place, &base, &token, &text).await;
        drop(held);
        assert_eq!(written, Ok(Written::Done));
        let now = local.vault.document(&place).await.unwrap();
        assert_eq!((now.text.reveal(), now.version.0.as_str()), ("two", "3"));
    });
}

#[test]
fn a_parameter_is_used_by_whom_its_owner_allows() {
    with_sandbox(async |local| {
        for (name, tag, is_allowed) in [
            ("/tag/none", None, false),
            ("/tag/other", Some("agent"), false),
            ("/tag/ours", Some("agents"), true),
            ("tag-all", Some("*"), true),
        ] {
            let tags = tag.map(|value| json!([{ "Key": "watchkeeper:allow", "Value": value }]));
            let place = parameter(local, name, json!({ "Tags": tags.unwrap_or(json!([])) })).await;
            let as_target = local.vault.may_be_target(&place, "agents").await;
            let as_source = local.vault.may_be_source(&Source::Document(place), "agents").await;
            for outcome in [as_target, as_source] {
                if is_allowed {
                    assert_eq!(outcome, Ok(()), "{name}");
                } else {
                    assert!(refused(outcome).contains("owner allows it with the tag watchkeeper:allow = agents"));
                }
            }
        }
    });
}

#[test]
fn lists_and_parameters_of_others_are_refused() {
    with_sandbox(async |local| {
        let list = parameter(local, "/refused/list", json!({ "Type": "StringList", "Value": "a,b" })).await;
        let said = refused(local.vault.may_be_target(&list, "agents").await);
        assert!(said.contains("/refused/list cannot be used: it is a StringList"), "{said}");
        parameter(local, "/refused/others", json!({})).await;
        let others = Place::Parameter("arn:aws:ssm:eu-west-1:999999999999:parameter/refused/others".to_owned());
        let said = refused(local.vault.may_be_target(&others, "agents").await);
        assert!(
            said.contains("there is no parameter arn:aws:ssm:eu-west-1:999999999999:parameter/refused/others"),
            "{said}"
        );
        let base = Document {
            version: config_sync::document::Version("1".into()),
            ..local.vault.document(&list).await.unwrap()
        };
        assert!(refused(write(local, &others, &base, "ours").await).contains("there is no parameter"));
        let elsewhere = refused(local.elsewhere().may_be_target(&list, "agents").await);
        assert!(elsewhere.contains("is in the region eu-west-1"), "{elsewhere}");
    });
}

#[test]
fn who_may_not_decrypt_reads_what_to_grant() {
    with_sandbox(async |local| {
        let name = "/denied";
        let place = parameter(local, name, json!({ "Type": "SecureString" })).await;
        let Place::Parameter(arn) = &place else { unreachable!("it is one") };
        let denied = (400, "AccessDeniedException", "not authorized to perform: kms:Decrypt");
        let _denied = local.refuse("ssm", "GetParameter", arn, denied).await;
        let trouble = local.vault.document(&place).await.unwrap_err();
        let text = trouble.to_string();
        assert!(!trouble.may_pass() && text.contains("kms:Decrypt. Watchkeeper may use a parameter"), "{text}");
    });
}
