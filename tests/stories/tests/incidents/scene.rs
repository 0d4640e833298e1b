//! What the stories have in common: a sandbox with our stack and no clock but the story's, and agents that break when they are told to.

use std::ops::Deref;
use std::time::Duration;

use sandbox::Options;
use sandbox::ecs::{Status, Task};
use sandbox::inbox::Mail;
use sandbox::stage::{PATIENCE, Stage};
use serde_json::{Value, json};
use stories::agents::{Agents, CLUSTER, Names};
use stories::messages;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// The function.
const ALERTS: Names = Names { function: "crash-alerts", resources: "CrashAlerts" };
/// Where agents write, unless a story says otherwise.
pub(crate) const GROUP: &str = "/agents";
/// An agent that runs until it is told to exit.
pub(crate) const LASTS: &str = "exec sample-agent";

/// A sandbox with our stack, a cluster, a log group and a role that may write there. Time passes when a story says so.
pub(crate) struct Scene {
    agents: Agents,
    /// What tasks are started with.
    pub(crate) role: String,
}

impl Deref for Scene {
    type Target = Agents;

    fn deref(&self) -> &Agents {
        &self.agents
    }
}

impl Scene {
    pub(crate) async fn set(options: Options) -> Self {
        let stage = Stage::set(options, |_| ()).await.unwrap();
        let agents = Agents::set(stage, ALERTS).await;
        agents.stop_the_clock().await;
        let root = agents.stage.sandbox.aws();
        log_group(&agents.stage, GROUP).await;
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]});
        let role = [("RoleName", "agents"), ("AssumeRolePolicyDocument", &trust.to_string())];
        root.query("iam", "CreateRole", &role).await.unwrap();
        let allowed = ["logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue"];
        let policy =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]});
        let policy = [("RoleName", "agents"), ("PolicyName", "agents"), ("PolicyDocument", &policy.to_string())];
        root.query("iam", "PutRolePolicy", &policy).await.unwrap();
        let role = format!("arn:aws:iam::{}:role/agents", agents.stage.sandbox.options().account);
        Self { agents, role }
    }

    /// A path that scripts and the story share.
    pub(crate) fn path(&self, name: &str) -> String {
        self.stage.sandbox.options().scratch.join(name).display().to_string()
    }

    /// Registers a revision of one container, or of several; returns its ARN.
    pub(crate) async fn revision(&self, family: &str, containers: Value) -> String {
        let containers = if containers.is_array() { containers } else { json!([containers]) };
        let definition = json!({
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "executionRoleArn": self.role, "containerDefinitions": containers
        });
        let answer = self.stage.ecs("RegisterTaskDefinition", definition).await.unwrap();
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// Creates a service of one task; nothing is waited for.
    pub(crate) async fn create(&self, name: &str, revision: &str, more: Value) {
        let mut service = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": revision, "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
        });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.ecs("CreateService", service).await.unwrap();
    }

    /// A service of one task that runs until it is told to exit; waits until it is steady, and known to be.
    pub(crate) async fn lasting(&self, name: &str, more: Value) {
        let revision = self.revision(name, container(LASTS)).await;
        self.create(name, &revision, more).await;
        self.is_steady_on(name, &revision).await;
    }

    /// Waits until it is steady on this revision, and the function knows.
    pub(crate) async fn is_steady_on(&self, name: &str, revision: &str) {
        self.steady(name, 1).await;
        let known = |item: &Value| item["revision"]["S"].as_str() == Some(revision);
        self.stage.wait_for_item(&about(name), "steady-revision", known).await.unwrap();
    }

    /// The agent of the service's only task ends with this code; waits until the task is over.
    pub(crate) async fn exit(&self, service: &str, code: u8) -> Task {
        let task = self.tasks(service).into_iter().next().unwrap();
        let address = task.address().unwrap();
        // It runs before it listens.
        let mut agent = timeout(PATIENCE, async {
            let mut poll = interval(Duration::from_millis(20));
            loop {
                poll.tick().await;
                if let Ok(agent) = TcpStream::connect((address, 8080)).await {
                    return agent;
                }
            }
        })
        .await
        .unwrap();
        let request = format!("POST /exit?code={code} HTTP/1.1\r\nHost: agent\r\nContent-Length: 0\r\n\r\n");
        agent.write_all(request.as_bytes()).await.unwrap();
        // It is gone before it can answer.
        let _ = agent.read_to_end(&mut Vec::new()).await;
        let over = |task: &Task| task.status == Status::Stopped;
        self.stage.sandbox.ecs().wait_for_task(&task.id, PATIENCE, over).await.unwrap()
    }

    /// What ops got about a service or family.
    pub(crate) fn told(&self, about: &str) -> Vec<Mail> {
        self.stage.inbox.mails().into_iter().filter(|mail| mail.json["about"] == about).collect()
    }

    /// Waits for so many messages about it.
    pub(crate) async fn hears(&self, about: &str, count: usize) -> Mail {
        let heard = async {
            for place in 0.. {
                self.stage.inbox.next(place).await.unwrap();
                if let Some(mail) = self.told(about).into_iter().nth(count - 1) {
                    return mail;
                }
            }
            unreachable!("mails come without end")
        };
        let all = || self.stage.inbox.mails().into_iter().map(|mail| mail.subject).collect::<Vec<_>>();
        timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("of {count} about {about}: {:#?}", all()))
    }

    /// Subjects of all that ops got about it, once the function is done with all that happened.
    pub(crate) async fn subjects(&self, about: &str) -> Vec<String> {
        self.stage.quiet().await.unwrap();
        self.told(about).into_iter().map(|mail| mail.subject).collect()
    }

    /// A minute passes.
    pub(crate) async fn minute(&self) {
        self.stage.send(&messages::sweep().to_string()).await.unwrap();
        self.stage.quiet().await.unwrap();
    }

    /// Minutes pass, quicker than they do, until this is so.
    pub(crate) async fn minutes_until(&self, so: impl Fn() -> bool) {
        let mut each = interval(Duration::from_secs(4));
        timeout(3 * PATIENCE, async {
            while !so() {
                each.tick().await;
                self.minute().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("ops got {:#?}", self.stage.inbox.mails()));
    }

    /// Checks what must be so at the end of every story: IAM refused nothing, and our ECS kept to its model.
    pub(crate) fn ends_well(&self) {
        self.was_never_refused();
        assert_eq!(self.stage.sandbox.model_faults(), Vec::<String>::new());
    }

    /// Checks that a secret is nowhere that we write to.
    pub(crate) async fn keeps(&self, secret: &str) {
        let table = json!({"TableName": self.stage.stack.output("TableName").unwrap(), "ConsistentRead": true});
        let items = self.stage.sandbox.looks().json("dynamodb", "DynamoDB_20120810.Scan", &table).await.unwrap();
        assert!(items["Count"].as_u64().unwrap() > 0);
        let written = format!("{items} {:?} {}", self.stage.inbox.mails(), self.log().await);
        assert!(!written.contains(secret), "a secret is told");
    }
}

/// The subject of a service's incidents.
pub(crate) fn about(service: &str) -> String {
    format!("service#{}", arn(service))
}

/// A service's ARN.
pub(crate) fn arn(service: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:service/{CLUSTER}/{service}")
}

/// Makes a log group.
pub(crate) async fn log_group(stage: &Stage, name: &str) {
    let create = json!({"logGroupName": name});
    stage.sandbox.aws().json("logs", "Logs_20140328.CreateLogGroup", &create).await.unwrap();
}

/// A container that runs a script and logs to [`GROUP`].
pub(crate) fn container(script: &str) -> Value {
    let options = json!({"awslogs-group": GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "team"});
    json!({
        "name": "agent", "image": "watchkeeper/sample-agent:1.0", "essential": true, "stopTimeout": 2,
        "entryPoint": ["sh", "-c"], "command": [script],
        "logConfiguration": {"logDriver": "awslogs", "options": options}
    })
}

/// An agent whose task does not get to run before there is something at this path.
pub(crate) fn waiting_for(path: &str) -> Value {
    let wait = container(&format!("while [ ! -e {path} ]; do sleep 0.05; done"));
    let wait = with(wait, &json!({"name": "wait", "essential": false}));
    json!([wait, with(container(LASTS), &json!({"dependsOn": [{"containerName": "wait", "condition": "SUCCESS"}]}))])
}

/// The same with other members.
pub(crate) fn with(mut container: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().cloned().unwrap() {
        container[name] = value;
    }
    container
}
