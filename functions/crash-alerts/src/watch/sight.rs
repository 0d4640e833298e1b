//! A service as ECS describes it, read for what the watch needs.

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    CapacityProviderStrategyItem, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentController,
    DeploymentControllerType, DeploymentLifecycleHookTargetType, DeploymentLifecycleHookTimeoutConfiguration,
    SchedulingStrategy, Service, TaskSet,
};
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{DeploymentSight, Running, Said, ServiceSight};
use watchkeeper_events::{ClusterArn, ServiceArn, TaskDefinitionArn};

use super::cursor::to_the_millisecond;
use crate::plan::watch::{Controller, Found, Life, Seen};

/// A service with this tag set to `true` is not watched.
pub const IGNORE_TAG: &str = "watchkeeper:ignore";
const OWNER_TAG: &str = "watchkeeper:owner";
const RUNBOOK_TAG: &str = "watchkeeper:runbook";

/// What ECS waits at most for a pause that names no time (ECS API Reference, `DeploymentLifecycleHookTimeoutConfiguration`).
const PAUSE_MINUTES: i32 = 1440;

/// What is seen of a service of the cluster; none if its name is none.
pub(super) fn seen(cluster: &str, service: &Service) -> Option<Seen> {
    let arn = service_arn(cluster, service.service_name()?)?;
    let life = match service.status() {
        Some("INACTIVE") => return Some(Seen::Gone(arn)),
        Some("DRAINING") => Life::Draining,
        _ => Life::Active,
    };
    let controller = controller_of(service);
    let configuration = service.deployment_configuration();
    let is_daemon = service.scheduling_strategy() == Some(&SchedulingStrategy::Daemon);
    let minimum = configuration.and_then(DeploymentConfiguration::minimum_healthy_percent);
    let breaker = configuration.and_then(DeploymentConfiguration::deployment_circuit_breaker);
    let tag = |key: &str| {
        let tag = service.tags().iter().find(|tag| tag.key() == Some(key));
        tag.and_then(|tag| tag.value()).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    Some(Seen::There(Box::new(Found {
        sight: sight(arn, service),
        life,
        controller: match controller {
            None | Some(DeploymentControllerType::Ecs) => Controller::Ecs,
            Some(_) => Controller::Other,
        },
        minimum_healthy: minimum.unwrap_or(if is_daemon { 0 } else { 100 }),
        breaker: breaker.is_some_and(DeploymentCircuitBreaker::enable),
        waits: configuration.map_or(Duration::ZERO, waits),
        ignored: tag(IGNORE_TAG).is_some_and(|value| value.eq_ignore_ascii_case("true")),
        owner: tag(OWNER_TAG),
        runbook: tag(RUNBOOK_TAG),
    })))
}

/// A service's ARN with its cluster, which old ones lack; so it is one subject with that of its tasks' events.
pub(super) fn service_arn(cluster: &str, name: &str) -> Option<ServiceArn> {
    let cluster = ClusterArn::parse(cluster).ok()?;
    let arn = cluster.arn();
    let home = format!("arn:{}:ecs:{}:{}", arn.partition(), arn.region(), arn.account());
    ServiceArn::parse(&format!("{home}:service/{}/{name}", cluster.name())).ok()
}

/// As the table keeps instants, so that what is read from either is the same.
pub(super) fn instant(at: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok().map(to_the_millisecond)
}

fn controller_of(service: &Service) -> Option<&DeploymentControllerType> {
    service.deployment_controller().map(DeploymentController::r#type)
}

/// How many tasks there are, and should be: one reading for all who count.
pub(crate) fn tasks(service: &Service) -> Running {
    if controller_of(service) == Some(&DeploymentControllerType::External) {
        // Whoever deploys it decides how many tasks each of its sets has; without a set none is wanted.
        tasks_of(service.task_sets().iter().find(|set| set.status() == Some("PRIMARY")))
    } else {
        Running { running: service.running_count(), desired: service.desired_count(), pending: service.pending_count() }
    }
}

fn sight(arn: ServiceArn, service: &Service) -> ServiceSight {
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    let revision = primary.and_then(|primary| primary.task_definition()).or(service.task_definition());
    let said = service
        .events()
        .iter()
        .filter_map(|event| Some(Said { at: event.created_at().and_then(instant), text: event.message()?.to_owned() }));
    let mut said: Vec<_> = said.collect();
    said.sort_by_key(|said| std::cmp::Reverse(said.at));
    ServiceSight {
        service: arn,
        tasks: tasks(service),
        revision: revision.and_then(|revision| TaskDefinitionArn::parse(revision).ok()),
        runs_on: runs_on(service),
        deployment: primary.and_then(|primary| {
            Some(DeploymentSight {
                id: primary.id()?.to_owned(),
                created_at: primary.created_at().and_then(instant),
                rollout: primary.rollout_state().map(|state| state.as_str().to_owned()),
                reason: primary.rollout_state_reason().map(str::to_owned),
                failed_tasks: primary.failed_tasks(),
            })
        }),
        said,
    }
}

fn tasks_of(set: Option<&TaskSet>) -> Running {
    set.map_or(Running { running: 0, desired: 0, pending: 0 }, |set| Running {
        running: set.running_count(),
        desired: set.computed_desired_count(),
        pending: set.pending_count(),
    })
}

fn runs_on(service: &Service) -> Option<String> {
    let providers: Vec<_> =
        service.capacity_provider_strategy().iter().map(CapacityProviderStrategyItem::capacity_provider).collect();
    if providers.is_empty() {
        service.launch_type().map(|launch_type| launch_type.as_str().to_owned())
    } else {
        Some(format!("capacity provider {}", providers.join(", ")))
    }
}

/// How long a deployment waits because it was asked to (ECS API Reference, `DeploymentConfiguration`).
fn waits(configuration: &DeploymentConfiguration) -> Duration {
    let bake = minutes(configuration.bake_time_in_minutes());
    let canary = configuration
        .canary_configuration()
        .map_or(Duration::ZERO, |canary| minutes(canary.canary_bake_time_in_minutes()));
    let linear = configuration.linear_configuration().map_or(Duration::ZERO, |linear| {
        let step = linear.step_percent().unwrap_or(100.0).clamp(1.0, 100.0);
        minutes(linear.step_bake_time_in_minutes()) * (100.0 / step).ceil()
    });
    let pauses = configuration.lifecycle_hooks().iter();
    let pauses =
        pauses.filter(|hook| hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause)).map(|hook| {
            let wait =
                hook.timeout_configuration().and_then(DeploymentLifecycleHookTimeoutConfiguration::timeout_in_minutes);
            minutes(wait.or(Some(PAUSE_MINUTES))) * i32::try_from(hook.lifecycle_stages().len()).unwrap_or_default()
        });
    bake + canary + linear + pauses.sum::<Duration>()
}

fn minutes(minutes: Option<i32>) -> Duration {
    Duration::minutes(minutes.unwrap_or_default().max(0).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::builders::ServiceBuilder;
    use aws_sdk_ecs::types::{
        CanaryConfiguration, Deployment, DeploymentLifecycleHook, DeploymentLifecycleHookStage, DeploymentRolloutState,
        LaunchType, LinearConfiguration, ServiceEvent, Tag,
    };

    const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/dbward";

    fn service() -> ServiceBuilder {
        Service::builder().service_name("server").desired_count(3).running_count(1).pending_count(2)
    }

    fn found(service: ServiceBuilder) -> Found {
        match seen(CLUSTER, &service.build()).unwrap() {
            Seen::There(found) => *found,
            Seen::Gone(service) => panic!("{service} is gone"),
        }
    }

    fn controller(kind: DeploymentControllerType) -> DeploymentController {
        DeploymentController::builder().r#type(kind).build().unwrap()
    }

    #[test]
    fn its_tasks_its_deployment_and_what_ecs_says() {
        let at = |second| DateTime::from_secs(second);
        let old = Deployment::builder().id("ecs-svc/1").status("ACTIVE").build();
        let primary = Deployment::builder()
            .id("ecs-svc/2")
            .status("PRIMARY")
            .task_definition("arn:aws:ecs:eu-west-1:123456789012:task-definition/server:7")
            .created_at(DateTime::from_millis(1_500))
            .rollout_state(DeploymentRolloutState::InProgress)
            .failed_tasks(4)
            .build();
        let event = |second, text: &str| ServiceEvent::builder().created_at(at(second)).message(text).build();
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let found = found(
            service()
                .service_arn("arn:aws:ecs:eu-west-1:123456789012:service/server")
                .launch_type(LaunchType::Fargate)
                .deployments(old)
                .deployments(primary)
                .events(event(1, "older"))
                .events(event(2, "newer"))
                .tags(tag("watchkeeper:owner", "team"))
                .tags(tag("watchkeeper:runbook", "")),
        );
        assert_eq!(found.sight.service.as_str(), "arn:aws:ecs:eu-west-1:123456789012:service/dbward/server");
        assert_eq!(found.sight.tasks, Running { running: 1, desired: 3, pending: 2 });
        assert_eq!(found.sight.revision.unwrap().revision(), "server:7");
        let deployment = found.sight.deployment.unwrap();
        assert_eq!((deployment.id.as_str(), deployment.rollout.as_deref()), ("ecs-svc/2", Some("IN_PROGRESS")));
        assert_eq!(deployment.created_at.unwrap().unix_timestamp_nanos(), 1_500_000_000);
        assert_eq!((deployment.failed_tasks, found.sight.runs_on.as_deref()), (4, Some("FARGATE")));
        assert_eq!(found.sight.said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["newer", "older"]);
        assert_eq!((found.owner.as_deref(), found.runbook, found.ignored), (Some("team"), None, false));
        assert_eq!((found.controller, found.life), (Controller::Ecs, Life::Active));
    }

    #[test]
    fn where_in_its_life_it_is() {
        assert_eq!(found(service().status("ACTIVE")).life, Life::Active);
        assert_eq!(found(service().status("DRAINING")).life, Life::Draining);
        let gone = seen(CLUSTER, &service().status("INACTIVE").build()).unwrap();
        assert_eq!(gone, Seen::Gone(service_arn(CLUSTER, "server").unwrap()));
        assert_eq!(seen(CLUSTER, &Service::builder().build()), None);
    }

    #[test]
    fn it_is_ignored_by_its_tag_alone() {
        for (key, value, ignored) in [
            ("watchkeeper:ignore", "true", true),
            ("watchkeeper:ignore", "True", true),
            ("watchkeeper:ignore", "false", false),
            ("ignore", "true", false),
        ] {
            let tag = Tag::builder().key(key).value(value).build();
            assert_eq!(found(service().tags(tag)).ignored, ignored, "{key}={value}");
        }
    }

    #[test]
    fn who_deploys_it_from_outside_decides_how_many_tasks_are_wanted() {
        let external = || service().deployment_controller(controller(DeploymentControllerType::External));
        assert_eq!(found(external()).sight.tasks, Running { running: 0, desired: 0, pending: 0 });
        let set = |status: &str, desired| TaskSet::builder().status(status).computed_desired_count(desired);
        let sets = external().task_sets(set("ACTIVE", 9).build()).task_sets(set("PRIMARY", 2).running_count(1).build());
        let found_external = found(sets);
        assert_eq!(found_external.sight.tasks, Running { running: 1, desired: 2, pending: 0 });
        assert_eq!(found_external.controller, Controller::Other);
        let code_deploy = found(service().deployment_controller(controller(DeploymentControllerType::CodeDeploy)));
        assert_eq!((code_deploy.sight.tasks.desired, code_deploy.controller), (3, Controller::Other));
    }

    #[test]
    fn the_share_that_is_kept_is_all_but_for_daemons() {
        let percent = |percent| DeploymentConfiguration::builder().minimum_healthy_percent(percent).build();
        assert_eq!(found(service()).minimum_healthy, 100);
        assert_eq!(found(service().scheduling_strategy(SchedulingStrategy::Daemon)).minimum_healthy, 0);
        assert_eq!(found(service().deployment_configuration(percent(50))).minimum_healthy, 50);
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(false).build();
        let configuration = DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build();
        assert!(found(service().deployment_configuration(configuration)).breaker);
    }

    #[test]
    fn the_waits_that_were_asked_for() {
        let waits = |configuration: aws_sdk_ecs::types::builders::DeploymentConfigurationBuilder| {
            super::waits(&configuration.build()).whole_minutes()
        };
        let new = DeploymentConfiguration::builder;
        assert_eq!((waits(new()), waits(new().bake_time_in_minutes(10))), (0, 10));
        let canary = CanaryConfiguration::builder().canary_bake_time_in_minutes(7).build();
        assert_eq!(waits(new().bake_time_in_minutes(10).canary_configuration(canary)), 17);
        let linear = LinearConfiguration::builder().step_percent(30.0).step_bake_time_in_minutes(5).build();
        assert_eq!(waits(new().linear_configuration(linear)), 20);
        let hook = |kind| {
            DeploymentLifecycleHook::builder()
                .target_type(kind)
                .lifecycle_stages(DeploymentLifecycleHookStage::PreScaleUp)
                .lifecycle_stages(DeploymentLifecycleHookStage::PostScaleUp)
                .build()
        };
        assert_eq!(waits(new().lifecycle_hooks(hook(DeploymentLifecycleHookTargetType::Pause))), 2 * 1440);
        assert_eq!(waits(new().lifecycle_hooks(hook(DeploymentLifecycleHookTargetType::AwsLambda))), 0);
    }
}
