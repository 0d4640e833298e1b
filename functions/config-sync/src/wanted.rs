//! What `Custom::ConfigSync` says is wanted.

use std::collections::BTreeSet;
use std::str::FromStr;

use time::Duration;
use watchkeeper_custom_resources::Properties;
use watchkeeper_events::{Arn, ServiceArn};

use crate::declared::{Declared, Mode, OnDrift, Restart, Route, Source, Value, Way};
use crate::document::Place;
use crate::expression::Expression;

/// How many services are restarted at once if the template does not say.
const AT_ONCE: u64 = 2;
/// How many minutes a service may take if the template does not say: a slow rolling deployment, or a bake time.
const MINUTES: u64 = 60;
/// The parts of `LogIn` that a source of a cluster has by these names.
const OF_A_CLUSTER: [(&str, &str); 5] =
    [("Host", "host"), ("Port", "port"), ("Database", "database"), ("User", "username"), ("Password", "password")];

/// Reads it; faults are noted in `properties`.
pub fn read(properties: &mut Properties<'_>) -> Option<Declared> {
    // Without any the target is only watched.
    let sources = properties.optional_entries("Sources", "an object with a source for each name", |_, one| source(one));
    let target = properties.object("Target", "an object with Secret or Parameter", |one| place(one, "the target"));
    let values = properties.items("Values", value);
    let route = properties.optional_object("LogIn", log_in);
    let restart = restart(properties);
    let way = properties.one_of(
        "RestartBy",
        &[("deployment", Way::Deployment), ("replace-tasks", Way::ReplaceTasks)],
        Way::Deployment,
    );
    let at_once = properties.optional_number("RestartAtOnce", 1..=50).unwrap_or(AT_ONCE);
    let minutes = properties.optional_number("RestartWithinMinutes", 5..=2_880).unwrap_or(MINUTES);
    let on_drift =
        properties.one_of("OnDrift", &[("repair", OnDrift::Repair), ("report", OnDrift::Report)], OnDrift::Repair);
    let declared = Declared {
        stack: String::new(),
        sources: sources.unwrap_or_default(),
        target: target?,
        values: values.unwrap_or_default(),
        route,
        restart: restart?,
        way,
        at_once: usize::try_from(at_once).ok()?,
        patience: Duration::minutes(i64::try_from(minutes).ok()?),
        mode: properties.one_of("Mode", &[("observe", Mode::Observe), ("act", Mode::Act)], Mode::Act),
        on_drift,
    };
    fit(properties, &declared);
    Some(declared)
}

fn source(properties: &mut Properties<'_>) -> Option<Source> {
    const KINDS: [&str; 5] = ["Secret", "Parameter", "Cluster", "Instance", "Bucket"];
    let given: Vec<&'static str> = KINDS.into_iter().filter(|kind| properties.has(kind)).collect();
    if let [first, ref others @ ..] = given[..] {
        for other in others {
            one_too_many(properties, other, first, "a source");
        }
    }
    match given.first() {
        Some(&"Cluster") => database(properties, "Cluster", "cluster:").map(Source::Cluster),
        Some(&"Instance") => database(properties, "Instance", "db:").map(Source::Instance),
        Some(&"Bucket") => {
            let bucket = properties.text("Bucket", "a bucket's name")?.to_owned();
            let prefix = properties.optional_text("Prefix").unwrap_or_default().to_owned();
            Some(Source::Newest { bucket, prefix })
        }
        _ => place(properties, "a source").map(Source::Document),
    }
}

fn one_too_many(properties: &mut Properties<'_>, other: &'static str, first: &str, what: &str) {
    // Asked for, so that it is known.
    let _ = properties.optional_text(other);
    properties.fault(other, format!("is one too many beside {first}; {what} is one thing"));
}

fn place(properties: &mut Properties<'_>, what: &str) -> Option<Place> {
    match (properties.has("Secret"), properties.has("Parameter")) {
        (true, true) => {
            // Asked for, so that it is known.
            let _ = properties.optional_text("Secret");
            one_too_many(properties, "Parameter", "Secret", what);
            None
        }
        (false, true) => {
            let wanted =
                "the ARN of a parameter: !Sub arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/…";
            arn(properties, "Parameter", wanted, "ssm", "parameter/").map(Place::Parameter)
        }
        _ => arn(properties, "Secret", "the ARN of a secret, which !Ref gives", "secretsmanager", "secret:")
            .map(Place::Secret),
    }
}

fn database(properties: &mut Properties<'_>, name: &'static str, prefix: &str) -> Option<String> {
    arn(properties, name, "the ARN of a database, which !GetAtt gives (DBClusterArn, DBInstanceArn)", "rds", prefix)
}

fn arn(
    properties: &mut Properties<'_>,
    name: &'static str,
    wanted: &str,
    service: &str,
    prefix: &str,
) -> Option<String> {
    let text = properties.text(name, wanted)?;
    if Arn::parse(text).is_ok_and(|arn| arn.service() == service && arn.resource().starts_with(prefix)) {
        return Some(text.to_owned());
    }
    // Not quoted: it could be the secret itself.
    properties.fault(name, format!("is not {wanted}"));
    None
}

fn value(properties: &mut Properties<'_>) -> Option<Value> {
    let address = parsed(properties, "At", "where the value stands, for example json:password");
    let expression = parsed(properties, "Is", "what the value is, for example {db.password}");
    Some(Value { address: address?, expression: expression? })
}

fn log_in(properties: &mut Properties<'_>) -> Option<Route> {
    // `Source: db` stands for all five parts, as a cluster has them.
    let source = properties.optional_text("Source").map(str::to_owned);
    let mut read = |name: &'static str, field: &str| match &source {
        Some(source) if !properties.has(name) => {
            // Asked for, so that it is known.
            let _ = properties.optional_text(name);
            from_text(properties, "Source", &format!("{{{source}.{field}}}"))
        }
        _ => parsed(properties, name, "an expression, for example {db.host}; or Source must name a cluster's source"),
    };
    let [host, port, database, user, password] = OF_A_CLUSTER.map(|(name, field)| read(name, field));
    let ca = properties.optional_text("CaCertificate").map(str::to_owned);
    Some(Route { host: host?, port: port?, database: database?, user: user?, password: password?, ca })
}

fn restart(properties: &mut Properties<'_>) -> Option<Restart> {
    let wanted = "auto, none, or a list of the ARNs of ECS services, which !Ref gives";
    match properties.optional_word_or_texts("Restart") {
        None if properties.has("Restart") => None,
        None | Some(Ok("auto")) => Some(Restart::Readers),
        Some(Ok("none")) => Some(Restart::None),
        Some(Ok(_)) => {
            properties.fault("Restart", format!("must be {wanted}"));
            None
        }
        Some(Err(texts)) => {
            let is_service = |text: &&&str| ServiceArn::parse(text).is_ok_and(|arn| arn.cluster_name().is_some());
            let services: BTreeSet<String> = texts.iter().filter(is_service).map(|text| (*text).to_owned()).collect();
            if services.len() < texts.len() {
                properties.fault("Restart", format!("must be {wanted}, each of them once"));
                return None;
            }
            Some(Restart::These(services))
        }
    }
}

fn parsed<T: FromStr<Err: ToString>>(properties: &mut Properties<'_>, name: &'static str, wanted: &str) -> Option<T> {
    let text = properties.text(name, wanted)?;
    from_text(properties, name, text)
}

fn from_text<T: FromStr<Err: ToString>>(properties: &mut Properties<'_>, name: &str, text: &str) -> Option<T> {
    match text.parse() {
        Ok(found) => Some(found),
        Err(why) => {
            properties.fault(name, why.to_string());
            None
        }
    }
}

/// What each part says must be what the others can give.
fn fit(properties: &Properties<'_>, declared: &Declared) {
    let known = || declared.sources.keys().cloned().collect::<Vec<_>>().join(", ");
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    let expressions: Vec<&Expression> = declared
        .values
        .iter()
        .map(|value| &value.expression)
        .chain(
            declared
                .route
                .iter()
                .flat_map(|route| [&route.host, &route.port, &route.database, &route.user, &route.password]),
        )
        .collect();
    for expression in expressions {
        unknown.extend(expression.sources().filter(|name| !declared.sources.contains_key(*name)));
    }
    for name in unknown {
        properties.fault("Sources", format!("has no {name}, which is asked for; it has {}", known()));
    }
    if declared.sources.values().any(|source| *source == Source::Document(declared.target.clone())) {
        properties.fault("Target", "is one of the sources, too: a document cannot follow itself");
    }
    for (at, value) in declared.values.iter().enumerate() {
        if declared.values[..at].iter().any(|other| other.address == value.address) {
            properties.fault("Values", format!("has {} twice", value.address));
        }
    }
}
