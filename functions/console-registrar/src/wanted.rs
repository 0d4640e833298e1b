//! What `Custom::ConsoleRegistration` says is wanted.

use serde_json::Value;
use time::Duration;
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_declarations::{DeclarationId, Phase};
use watchkeeper_events::ServiceArn;

use crate::declaration::Declaration;
use crate::plan::Declared;
use crate::registry::{AgentId, Target};
use crate::slot::State;

/// How long an entry outlives its task if the template does not say, in seconds: longer than ECS takes to start a task
/// anew, so that the entry just gets another address.
const PROBATION: u64 = 120;
/// How much of the entries may go at once if the template does not say.
const REMOVAL_PERCENT: u64 = 50;
/// How long an agent's id may be; registries have their limits, and it is part of a sort key.
const LONGEST_ID: usize = 100;

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The service whose tasks are registered.
    pub service: ServiceArn,
    /// What the agent is called.
    pub agent: AgentId,
    /// The port that each task listens on.
    pub port: u16,
    /// Where it is registered.
    pub target: Target,
    /// How long an entry outlives its task.
    pub probation: Duration,
    /// How much of the entries may go at once.
    pub removal_percent: u32,
    /// Whether entries without an owner may be taken over.
    pub adopt: bool,
    /// All of this, as it came.
    pub properties: Value,
}

impl Wanted {
    /// Reads it; faults are noted in `properties`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let service = service(properties);
        let agent = agent(properties);
        let port = properties.number("Port", "the port that each task listens on", 1..=u64::from(u16::MAX));
        let target =
            properties.object("Registry", "an object with one of ScriptRunner, Rest, CloudMap, Route53", Target::read);
        let probation = properties.optional_number("ProbationSeconds", 0..=86_400).unwrap_or(PROBATION);
        let removal_percent = properties.optional_number("RemoveAtMostPercent", 1..=100).unwrap_or(REMOVAL_PERCENT);
        let adopt = properties.optional_boolean("Adopt").unwrap_or(false);
        if let (Some(agent), Some(target)) = (&agent, &target)
            && let Err(why) = target.takes(agent)
        {
            properties.fault("AgentId", why);
        }
        Some(Self {
            service: service?,
            agent: agent?,
            port: u16::try_from(port?).ok()?,
            target: target?,
            probation: Duration::seconds(i64::try_from(probation).ok()?),
            removal_percent: u32::try_from(removal_percent).ok()?,
            adopt,
            properties: declared(properties.value()),
        })
    }

    /// What the declaration is called.
    #[must_use]
    pub fn id(&self) -> DeclarationId {
        DeclarationId(format!("{}#{}", self.target.identity(), self.agent))
    }

    /// The mark of the entries.
    #[must_use]
    pub fn mark(&self, owner: &Owner) -> String {
        format!("{} {}", owner.stack_id, self.agent)
    }

    /// The declaration, with what is remembered of it.
    #[must_use]
    pub fn declaration(self, id: DeclarationId, owner: Owner, phase: Phase, state: State) -> Declaration {
        let mark = self.mark(&owner);
        let declared = Declared {
            agent: self.agent,
            mark,
            port: self.port,
            probation: self.probation,
            removal_percent: self.removal_percent,
            adopt: self.adopt,
            leaving: phase == Phase::Leaving,
        };
        let Self { service, target, properties, .. } = self;
        Declaration { id, owner, service, declared, target, properties, phase, state }
    }
}

/// What was declared, without what is the frame's: whether it only observes is decided when it is declared.
fn declared(mut properties: Value) -> Value {
    if let Some(members) = properties.as_object_mut() {
        members.retain(|name, _| !["Mode", "ServiceToken", "ServiceTimeout"].contains(&name.as_str()));
    }
    properties
}

fn service(properties: &mut Properties<'_>) -> Option<ServiceArn> {
    let text = properties.text("Service", "the ARN of an ECS service, which !Ref gives")?;
    let service = ServiceArn::parse(text).ok().filter(|service| service.cluster_name().is_some());
    if service.is_none() {
        properties.fault(
            "Service",
            "must be the ARN of an ECS service with its cluster, which !Ref of an AWS::ECS::Service gives",
        );
    }
    service
}

fn agent(properties: &mut Properties<'_>) -> Option<AgentId> {
    let text = properties.text("AgentId", "what the agent is called in the registry")?;
    if text.len() > LONGEST_ID {
        properties.fault("AgentId", format!("must be at most {LONGEST_ID} bytes long, not {}", text.len()));
        return None;
    }
    if text.chars().any(char::is_control) {
        properties.fault("AgentId", "must not have line breaks or other control characters");
        return None;
    }
    Some(AgentId(text.to_owned()))
}
