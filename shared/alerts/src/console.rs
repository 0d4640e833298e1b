//! Links into the AWS console, right for each partition.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use watchkeeper_events::{AlarmArn, Arn, ClusterArn, ServiceArn, TaskArn, TaskDefinitionArn};

use crate::alert::Link;

const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'&')
    .add(b'+');

/// The console of an ARN's partition and region; none for a partition whose console is not known here.
fn console(arn: &Arn) -> Option<String> {
    console_of(arn.partition(), arn.region())
}

fn console_of(partition: &str, region: &str) -> Option<String> {
    let domain = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    Some(format!("https://{region}.{domain}"))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The task's page, while ECS remembers the task.
pub(crate) fn task(cluster: &ClusterArn, task: &TaskArn) -> Option<Link> {
    let (console, region) = (console(task.arn())?, task.arn().region());
    let (cluster, id) = (encode(cluster.name()), encode(task.id()));
    Some(Link {
        label: "Task (ECS keeps it about an hour)".into(),
        url: format!("{console}/ecs/v2/clusters/{cluster}/tasks/{id}/configuration?region={region}"),
    })
}

/// One of the service's pages: `health` or `deployments`.
pub(crate) fn service(service: &ServiceArn, page: &'static str) -> Option<Link> {
    let (console, region) = (console(service.arn())?, service.arn().region());
    let (cluster, name) = (encode(service.cluster_name()?), encode(service.name()));
    Some(Link {
        label: if page == "deployments" { "Deployments".into() } else { "Service".into() },
        url: format!("{console}/ecs/v2/clusters/{cluster}/services/{name}/{page}?region={region}"),
    })
}

/// The revision's page.
pub(crate) fn revision(definition: &TaskDefinitionArn) -> Option<Link> {
    let (console, region) = (console(definition.arn())?, definition.arn().region());
    let (family, number) = definition.revision().rsplit_once(':')?;
    let (family, number) = (encode(family), encode(number));
    Some(Link {
        label: "Revision".into(),
        url: format!("{console}/ecs/v2/task-definitions/{family}/{number}/containers?region={region}"),
    })
}

/// The alarm's page.
pub(crate) fn alarm(alarm: &AlarmArn) -> Option<Link> {
    let (console, region) = (console(alarm.arn())?, alarm.arn().region());
    let name = encode(alarm.name());
    Some(Link {
        label: "Alarm".into(),
        url: format!("{console}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"),
    })
}

/// What CloudWatch's console leaves as it is in the names of groups and streams.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The log stream's page; none in a partition whose console is not known here.
pub fn log_stream(partition: &str, region: &str, group: &str, stream: &str) -> Option<String> {
    let console = console_of(partition, region)?;
    let (group, stream) = (in_fragment(group), in_fragment(stream));
    Some(format!("{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/log-events/{stream}"))
}

/// That console reads its fragment encoded twice, with `$` for the second `%`.
fn in_fragment(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string().replace('%', "$25")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_console_and_an_unknown_one_none() {
        let url = |partition: &str, region: &str| {
            let text = format!("arn:{partition}:ecs:{region}:123456789012:service/a b/c");
            service(&ServiceArn::parse(&text).unwrap(), "health").map(|link| link.url)
        };
        assert_eq!(
            url("aws", "eu-west-1").unwrap(),
            "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/a%20b/services/c/health?region=eu-west-1"
        );
        assert!(url("aws-cn", "cn-north-1").unwrap().starts_with("https://cn-north-1.console.amazonaws.cn/ecs/v2/"));
        assert!(
            url("aws-us-gov", "us-gov-west-1")
                .unwrap()
                .starts_with("https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/")
        );
        assert_eq!(url("aws-moon", "tycho-1"), None);
    }

    #[test]
    fn the_page_of_a_log_stream_is_encoded_twice() {
        assert_eq!(
            log_stream("aws", "eu-west-1", "/ecs/a b", "agent/agent/8f1c").unwrap(),
            "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1\
             #logsV2:log-groups/log-group/$252Fecs$252Fa$2520b/log-events/agent$252Fagent$252F8f1c"
        );
        let china = log_stream("aws-cn", "cn-north-1", "g", "s").unwrap();
        assert!(china.starts_with("https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#logsV2:"));
        assert_eq!(log_stream("aws-moon", "tycho-1", "g", "s"), None);
    }
}
