//! The watch's looks at the sandbox's ECS and a real table: what no event told is found, and found to be over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration, NetworkMode, Tag,
};
use crash_alerts::plan::rules::Rules;
use crash_alerts::plan::watch::{Finding, Limits, State};
use crash_alerts::watch::{IGNORE_TAG, Look, look, settle};
use crash_alerts::{AlarmChoice, Clients, Settings};
use sandbox::stage::PATIENCE;
use sandbox::{Options, Sandbox};
use stories::table::{TABLE, table};
use time::{Duration, OffsetDateTime};
use watchkeeper_events::{ServiceArn, StopCode, TaskStatus};
use watchkeeper_stops::{Verdict, judge};

const CLUSTER: &str = "watched";
const LIMITS: Limits = Limits { below_desired: Duration::minutes(10), deployment_stuck: Duration::minutes(30) };
const LASTS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
const IMAGE: &str = "busybox:1";
const NO_IMAGE: &str = "nowhere/agent:1";

struct Watched {
    sandbox: Sandbox,
    ecs: Client,
    clients: Clients,
    /// Looks are made as if so much later.
    began: OffsetDateTime,
}

impl Watched {
    async fn new() -> Self {
        let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
        table(&sandbox).await;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(sandbox.endpoint())
            .region(Region::new(sandbox.options().region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "tests")))
            .build();
        let settings = Settings {
            table: TABLE.to_owned(),
            topic: String::new(),
            fifo_topic: None,
            log_lines_in_email: true,
            queue: String::new(),
            rules: Rules::default(),
            limits: LIMITS,
            dead_letter_queue: String::new(),
            stack: String::new(),
            alarms: AlarmChoice { prefix: None, own_prefix: "watchkeeper-".to_owned() },
        };
        let ecs = Client::new(&config);
        ecs.create_cluster().cluster_name(CLUSTER).send().await.unwrap();
        Self { ecs, clients: Clients::new(&config, &settings), sandbox, began: OffsetDateTime::now_utc() }
    }

    async fn service(&self, name: &str, image: &str, ignore: &str) {
        let container = ContainerDefinition::builder().name("job").image(image);
        let container = container.command("sh").command("-c").command(LASTS).build();
        let definition = self.ecs.register_task_definition().family(name).network_mode(NetworkMode::Awsvpc);
        let definition = definition.requires_compatibilities(Compatibility::Fargate).cpu("256").memory("512");
        definition.container_definitions(container).send().await.unwrap();
        let subnets = AwsVpcConfiguration::builder().subnets("subnet-1").build().unwrap();
        let create = self.ecs.create_service().cluster(CLUSTER).service_name(name).task_definition(name);
        let create = create.desired_count(1).launch_type(LaunchType::Fargate);
        let create = create
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(subnets).build())
            .tags(Tag::builder().key(IGNORE_TAG).value(ignore).build());
        create.send().await.unwrap();
    }

    /// A whole second, which the table keeps as it is.
    fn at(&self, minutes: i64) -> OffsetDateTime {
        self.began.replace_nanosecond(0).unwrap() + Duration::minutes(minutes)
    }

    async fn look(&self, minutes: i64) -> Look {
        let look = look(&self.clients, &self.clients, &LIMITS, self.at(minutes)).await.unwrap();
        settle(&self.clients, &look).await.unwrap();
        assert!(look.complete && look.troubles.is_empty(), "{look:?}");
        look
    }
}

/// Service and cause of the faults, and why the overs are.
fn words(findings: &[Finding]) -> Vec<String> {
    let words = findings.iter().map(|finding| {
        let what = format!("{} {}", finding.service.name(), finding.trouble.cause());
        match &finding.state {
            State::Fault { .. } => what,
            State::Over { summary, .. } => format!("{what}: {summary}"),
        }
    });
    words.collect()
}

#[tokio::test]
async fn a_service_that_never_comes_up_is_found_without_any_event() {
    let watched = Watched::new().await;
    let ecs = watched.sandbox.ecs();
    watched.service("steady", IMAGE, "false").await;
    watched.service("broken", NO_IMAGE, "false").await;
    watched.service("ignored", NO_IMAGE, "true").await;
    ecs.wait_for_steady_state(CLUSTER, "steady", PATIENCE).await.unwrap();
    let impaired = |service: &sandbox::ecs::Service| service.messages.iter().any(|one| one.text.contains("unable"));
    ecs.wait_for_service(CLUSTER, "broken", PATIENCE, impaired).await.unwrap();

    let first = watched.look(2).await;
    assert_eq!(words(&first.findings), Vec::<String>::new());
    assert_eq!(first.ignored.iter().map(ServiceArn::name).collect::<Vec<_>>(), ["ignored"]);
    let stop = first.stopped.iter().find(|task| task.service_name() == Some("broken")).unwrap();
    assert_eq!((&stop.status, &stop.stop_code), (&TaskStatus::Stopped, &Some(StopCode::TaskFailedToStart)));
    let Verdict::Crashed(crash) = judge(stop) else { panic!("{stop:?}") };
    assert!(crash.cause.id().contains("image"), "{crash:?}");

    let below = watched.look(12).await;
    assert_eq!(words(&below.findings), ["broken below-desired"]);
    let State::Fault { alert, since, .. } = &below.findings[0].state else { panic!("{below:?}") };
    assert_eq!(*since, watched.at(2));
    let says = alert.facts.iter().find(|fact| fact.label == "Reason").unwrap();
    assert!(says.value.starts_with("is unable to consistently start tasks"), "{says:?}");

    // No circuit breaker ends the deployment.
    let both = ["broken below-desired", "broken deployment-stuck"];
    let stuck = watched.look(40).await;
    assert_eq!(words(&stuck.findings), both);
    // What was dealt with a while ago is not brought again.
    assert!(!stuck.stopped.iter().any(|task| task.task == stop.task));

    watched.ecs.update_service().cluster(CLUSTER).service("broken").desired_count(0).send().await.unwrap();
    let over = both.map(|what| format!("{what}: the service is to run no tasks any more"));
    assert_eq!(words(&watched.look(41).await.findings), over);
    assert_eq!(words(&watched.look(42).await.findings), Vec::<String>::new());
    assert_eq!(watched.sandbox.model_faults(), Vec::<String>::new());
    watched.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_deleted_is_no_trouble_any_more() {
    let watched = Watched::new().await;
    watched.service("broken", NO_IMAGE, "false").await;
    watched.look(0).await;
    assert_eq!(words(&watched.look(10).await.findings), ["broken below-desired"]);
    watched.ecs.delete_service().cluster(CLUSTER).service("broken").force(true).send().await.unwrap();
    let gone = |service: &sandbox::ecs::Service| service.status == sandbox::ecs::ServiceStatus::Inactive;
    watched.sandbox.ecs().wait_for_service(CLUSTER, "broken", PATIENCE, gone).await.unwrap();
    assert_eq!(words(&watched.look(11).await.findings), ["broken below-desired: the service is gone"]);
    assert_eq!(words(&watched.look(12).await.findings), Vec::<String>::new());
    watched.sandbox.stop().await.unwrap();
}

#[test]
fn the_function_gets_both_limits() {
    let resources = stories::template::resources().unwrap();
    let variables = &resources["CrashAlertsFunction"]["Properties"]["Environment"]["Variables"];
    let limits = Limits::from_env(|name| variables.get(name).map(|_| "10".to_owned())).unwrap();
    assert_eq!(limits.below_desired, limits.deployment_stuck);
}
