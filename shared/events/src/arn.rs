//! ARNs that are easily confused, each as a type of its own.

use std::fmt;

/// An Amazon Resource Name, split into its parts (IAM User Guide, "Amazon Resource Names").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arn {
    whole: String,
    partition_end: usize,
    service_end: usize,
    region_end: usize,
    account_end: usize,
}

/// Text that is not an ARN of the kind that was expected. The text itself is not repeated: it could be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not {expected}")]
pub struct ArnError {
    /// What should have been there.
    pub expected: &'static str,
}

impl Arn {
    /// Splits `arn:partition:service:region:account:resource`.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut colons = text.match_indices(':').map(|(at, _)| at);
        let bounds: Vec<usize> = colons.by_ref().take(5).collect();
        match bounds[..] {
            [prefix_end, partition_end, service_end, region_end, account_end]
                if &text[..prefix_end] == "arn" && account_end + 1 < text.len() =>
            {
                Ok(Self { whole: text.to_owned(), partition_end, service_end, region_end, account_end })
            }
            _ => Err(ArnError { expected: "an ARN (arn:partition:service:region:account:resource)" }),
        }
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.whole["arn:".len()..self.partition_end]
    }

    /// The service's namespace, for example `ecs`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.whole[self.partition_end + 1..self.service_end]
    }

    /// The region; empty for global resources.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.whole[self.service_end + 1..self.region_end]
    }

    /// The account id.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.whole[self.region_end + 1..self.account_end]
    }

    /// All that follows the account, for example `task/cluster/id`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.whole[self.account_end + 1..]
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole
    }
}

macro_rules! typed_arn {
    ($(#[$doc:meta])* $name:ident, $service:literal, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arn);

        impl $name {
            /// Takes text that is an ARN of this kind.
            pub fn parse(text: &str) -> Result<Self, ArnError> {
                let arn = Arn::parse(text).map_err(|_| ArnError { expected: $expected })?;
                let named = arn.resource().strip_prefix($prefix).is_some_and(|name| !name.is_empty());
                if arn.service() == $service && named {
                    Ok(Self(arn))
                } else {
                    Err(ArnError { expected: $expected })
                }
            }

            /// Its parts.
            #[must_use]
            pub fn arn(&self) -> &Arn {
                &self.0
            }

            /// The whole text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            fn path(&self) -> &str {
                &self.0.resource()[$prefix.len()..]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

typed_arn!(
    /// An ECS cluster.
    ClusterArn, "ecs", "cluster/", "the ARN of an ECS cluster"
);
typed_arn!(
    /// An ECS service. Old, short ARNs lack the cluster (ECS Developer Guide, "ARNs and IDs").
    ServiceArn, "ecs", "service/", "the ARN of an ECS service"
);
typed_arn!(
    /// An ECS task. Old, short ARNs lack the cluster.
    TaskArn, "ecs", "task/", "the ARN of an ECS task"
);
typed_arn!(
    /// A revision of a task definition: `family:revision`.
    TaskDefinitionArn, "ecs", "task-definition/", "the ARN of an ECS task definition"
);
typed_arn!(
    /// A CloudWatch alarm.
    AlarmArn, "cloudwatch", "alarm:", "the ARN of a CloudWatch alarm"
);

/// Takes text that is the ARN of a secret.
pub(crate) fn secret_arn(text: &str) -> Result<String, ArnError> {
    named(text, "secretsmanager", "secret:").ok_or(ArnError { expected: "the ARN of a secret" })
}

/// Takes text that is the ARN of a parameter.
pub(crate) fn parameter_arn(text: &str) -> Result<String, ArnError> {
    named(text, "ssm", "parameter/").ok_or(ArnError { expected: "the ARN of a parameter" })
}

fn named(text: &str, service: &str, prefix: &str) -> Option<String> {
    let arn = Arn::parse(text).ok().filter(|arn| arn.service() == service)?;
    arn.resource().strip_prefix(prefix).filter(|name| !name.is_empty()).map(|_| text.to_owned())
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn first_of_two(path: &str) -> Option<&str> {
    path.split_once('/').map(|(cluster, _)| cluster)
}

impl ClusterArn {
    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path()
    }
}

impl ServiceArn {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        last_segment(self.path())
    }

    /// The cluster's name, where the ARN carries it.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        first_of_two(self.path())
    }

    /// Its cluster; of an old ARN, the cluster that ECS takes where none is named.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterArn> {
        let (arn, name) = (self.arn(), self.cluster_name().unwrap_or("default"));
        let text = format!("arn:{}:ecs:{}:{}:cluster/{name}", arn.partition(), arn.region(), arn.account());
        ClusterArn::parse(&text).ok()
    }
}

impl TaskArn {
    /// The cluster's name, where the ARN carries it.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        first_of_two(self.path())
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> &str {
        last_segment(self.path())
    }
}

impl TaskDefinitionArn {
    /// `family:revision`, as people write it.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.path()
    }

    /// The family alone.
    #[must_use]
    pub fn family(&self) -> &str {
        self.path().split_once(':').map_or(self.path(), |(family, _)| family)
    }
}

impl AlarmArn {
    /// The alarm's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_out_of_new_and_old_arns() {
        let service = ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/server").unwrap();
        assert_eq!((service.name(), service.cluster_name()), ("server", Some("dbward")));
        let old = ServiceArn::parse("arn:aws-cn:ecs:cn-north-1:123456789012:service/server").unwrap();
        assert_eq!((old.name(), old.cluster_name()), ("server", None));
        assert_eq!(old.arn().partition(), "aws-cn");
        assert_eq!(service.cluster().unwrap().as_str(), "arn:aws:ecs:eu-west-1:123456789012:cluster/dbward");
        assert_eq!(old.cluster().unwrap().name(), "default");
        let task = TaskArn::parse("arn:aws:ecs:eu-west-1:123456789012:task/dbward/8f1c").unwrap();
        assert_eq!((task.id(), task.arn().region(), task.arn().account()), ("8f1c", "eu-west-1", "123456789012"));
        let alarm = AlarmArn::parse("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a:b c").unwrap();
        assert_eq!(alarm.name(), "a:b c");
    }

    #[test]
    fn what_is_not_that_arn_is_refused_without_repeating_it() {
        for text in
            ["", "arn:aws:ecs", "arn:aws:ecs:r:a:service/", "arn:aws:ecs:r:a:task/c/1", "x:aws:ecs:r:a:service/c/s"]
        {
            let error = ServiceArn::parse(text).unwrap_err();
            assert_eq!(error.to_string(), "is not the ARN of an ECS service", "{text}");
        }
    }
}
