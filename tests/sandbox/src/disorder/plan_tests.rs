use super::*;

const WHOLE: &str = r#"
    seed = 7

    [[events]]
    name = "copies"
    match = { detail-type = "ECS Task State Change", detail = { lastStatus = ["PENDING", "RUNNING"] } }
    do = { duplicate = 2 }
    share = 0.25
    times = 9

    [[events]]
    match.resources = "task/demo/"
    do = { reorder = { after = 3 } }

    [[events]]
    match = { source = "aws.ecs" }
    do = "drop"
    nth = [1, 3]

    [[events]]
    do = { delay = "250ms" }

    [[calls]]
    match = { caller = "crash-alerts", service = "sns", action = "Publish", resource = "alerts" }
    do = { kill = "before" }
    nth = [2]

    [[calls]]
    do = { fail = { status = 500, code = "InternalFailure", message = "a bad day" } }

    [[calls]]
    do = "throttle"

    [[calls]]
    do = { slow = "3s" }
"#;

fn whole() -> Plan {
    let running = EventMatch {
        detail_type: "ECS Task State Change".into(),
        detail: [("lastStatus".to_owned(), ["PENDING", "RUNNING"].into())].into(),
        ..EventMatch::default()
    };
    let demo = EventMatch { resources: "task/demo/".into(), ..EventMatch::default() };
    let publish = CallMatch {
        caller: "crash-alerts".into(),
        service: "sns".into(),
        action: "Publish".into(),
        resource: "alerts".into(),
    };
    let fail = CallEffect::Fail { status: 500, code: "InternalFailure".to_owned(), message: "a bad day".to_owned() };
    Plan {
        seed: 7,
        events: vec![
            Rule::new(running, EventEffect::Duplicate(2)).named("copies").share(0.25).times(9),
            Rule::new(demo, EventEffect::Reorder { after: 3, within: Duration::from_secs(2) }),
            Rule::new(EventMatch { source: "aws.ecs".into(), ..EventMatch::default() }, EventEffect::Drop).nth([1, 3]),
            Rule::new(EventMatch::default(), EventEffect::Delay(Duration::from_millis(250))),
        ],
        calls: vec![
            Rule::new(publish, CallEffect::Kill(Moment::Before)).nth([2]),
            Rule::new(CallMatch::default(), fail),
            Rule::new(CallMatch::default(), CallEffect::Throttle),
            Rule::new(CallMatch::default(), CallEffect::Slow(Duration::from_secs(3))),
        ],
    }
}

#[test]
fn a_plan_is_the_same_in_toml_in_json_and_in_rust() {
    let plan = Plan::from_toml(WHOLE).unwrap();
    assert_eq!(plan, whole());
    assert_eq!(Plan::from_toml(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    assert_eq!(Plan::from_json(&serde_json::to_vec(&plan).unwrap()).unwrap(), plan);
    assert_eq!(Plan::from_toml("").unwrap(), Plan::default());
}

#[test]
fn what_is_no_plan_is_refused_with_its_place_and_the_cure() {
    for (text, place, cure) in [
        ("colour = 1", "line 1", "expected one of `seed`, `events`, `calls`"),
        ("[[events]]\nshare = 0.5", "line 1", "missing field `do`"),
        ("[[events]]\ndo = \"drop\"\nchance = 0.5", "line 3", "`share`"),
        ("[[events]]\ndo = \"dorp\"", "line 2", "expected one of `drop`, `duplicate`, `delay`, `reorder`"),
        ("[[events]]\nmatch = { status = \"x\" }\ndo = \"drop\"", "line 2", "`detail-type`"),
        ("[[events]]\nmatch = { source = 3 }\ndo = \"drop\"", "line 2", "a text or a list of texts"),
        ("[[events]]\ndo = { delay = \"soon\" }", "line 2", "write \"250ms\", \"2s\" or \"3min\""),
        ("[[events]]\ndo = { reorder = { behind = 3 } }", "line 2", "available keys: after, within"),
        ("[[calls]]\ndo = { kill = \"now\" }", "line 2", "expected `before` or `after`"),
        ("[[calls]]\ndo = { fail = { status = 500 } }", "line 2", "missing field `code`"),
        ("[[calls]]\nmatch = { function = \"x\" }\ndo = \"throttle\"", "line 2", "`caller`"),
        ("[[calls]\n", "line 1", "TOML"),
    ] {
        let error = Plan::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(cure), "{text}\n{error}");
    }
}

#[test]
fn a_rule_that_cannot_be_is_refused_by_name() {
    for (rule, name, cure) in [
        ("do = \"drop\"\nshare = 1.5", "events 1", "from 0 to 1"),
        ("do = \"drop\"\nshare = nan", "events 1", "from 0 to 1"),
        ("do = \"drop\"\nshare = 0.5\nnth = [1]", "events 1", "one of them"),
        ("do = \"drop\"\nnth = [0]", "events 1", "from 1"),
        ("do = \"drop\"\nnth = []", "events 1", "from 1"),
        ("name = \"x\"\ndo = { duplicate = 0 }", "x", "at least 1"),
        ("name = \"x\"\ndo = { reorder = { after = 0 } }", "x", "at least 1"),
        ("name = \"x\"\ndo = \"drop\"\n[[events]]\nname = \"x\"\ndo = \"drop\"", "x", "each its own"),
        (
            "do = \"drop\"\n[[calls]]\ndo = { fail = { status = 200, code = \"\", message = \"\" } }",
            "calls 1",
            "400 to 599",
        ),
    ] {
        let error = Plan::from_toml(&format!("[[events]]\n{rule}")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(cure), "{rule}\n{error}");
    }
}

#[test]
fn the_plan_that_is_shipped_is_one() {
    let plan = Plan::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("disorder/bad-day.toml")).unwrap();
    assert!(!plan.events.is_empty() && !plan.calls.is_empty());
    let error = Plan::read(Path::new("no/such/plan.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such/plan.toml cannot be read: "), "{error}");
}

#[test]
fn the_plan_in_the_docs_is_one() {
    let docs = include_str!("../../../../docs/disorder.md");
    let begin = docs.find("    seed = ").unwrap();
    let end = begin + docs[begin..].find("\n| ").unwrap();
    let plan = Plan::from_toml(&docs[begin..end]).unwrap();
    assert_eq!((plan.events.len(), plan.calls.len()), (1, 1));
}
