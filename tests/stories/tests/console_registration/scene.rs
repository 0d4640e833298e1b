//! What the stories have in common: a sandbox with our stack, a cluster, a Console, and what is asked of them.

use std::time::Duration;

use sandbox::console::{Change, Console, Event, Registered};
use sandbox::disorder::{EventEffect, EventMatch, EventRule, Plan};
use sandbox::ecs::Task;
use sandbox::stage::{PATIENCE, Stage};
use sandbox::{Call, Options};
use serde_json::{Value, json};
use stories::cli::aws;
use stories::stacks::Stack;
use tokio::process::Command;
use tokio::time::{interval, timeout};

pub(crate) const CLUSTER: &str = "demo";
/// The service that is declared unless a story says otherwise.
pub(crate) const AGENT: &str = "agent";
pub(crate) const IMAGE: &str = "watchkeeper/sample-agent:1.0";
/// The log group of the function.
const LOG: &str = "/watchkeeper/watchkeeper/console-registrar";

/// A sandbox with our stack, a cluster, a Console, and the Console's credentials in secrets that stacks may use.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) console: Console,
    /// Any stack may use it.
    pub(crate) login: String,
    /// Only the stack `agent` may.
    pub(crate) token: String,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
        let console = Console::start(&stage.sandbox).await.unwrap();
        stage.ecs("CreateCluster", json!({"clusterName": CLUSTER})).await.unwrap();
        let login = console.login();
        let user = json!({"user": login.user, "password": login.password.reveal()}).to_string();
        let token = login.token.reveal().to_owned();
        let login = secret(&stage, "console-login", &user, &[("watchkeeper:allow", "*")]).await;
        let token = secret(&stage, "console-token", &token, &[("watchkeeper:allow", "agent")]).await;
        Self { stage, console, login, token }
    }

    /// Begins to create a stack with this registration.
    pub(crate) async fn stack(&self, name: &str, registration: Value) -> Stack<'_> {
        let outputs = json!({
            "Agents": {"Value": {"Fn::GetAtt": ["Registration", "AgentIds"]}},
            "Plan": {"Value": {"Fn::GetAtt": ["Registration", "Plan"]}},
            "Decision": {"Value": {"Fn::GetAtt": ["Registration", "Decision"]}},
        });
        Stack::create(&self.stage, name, &json!({"Registration": registration}), &outputs).await
    }

    pub(crate) async fn service(&self, name: &str, count: u32) {
        let definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "agent", "image": IMAGE, "essential": true, "stopTimeout": 5}]
        });
        self.service_of(name, count, definition).await;
        self.steady(name, count).await;
    }

    /// A service of that task definition; nothing is waited for.
    pub(crate) async fn service_of(&self, name: &str, count: u32, definition: Value) {
        let answer = self.stage.ecs("RegisterTaskDefinition", definition).await.unwrap();
        let service = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"],
            "desiredCount": count, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
        });
        self.stage.ecs("CreateService", service).await.unwrap();
    }

    pub(crate) async fn update(&self, service: &str, change: Value) {
        let mut update = json!({"cluster": CLUSTER, "service": service});
        update.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.stage.ecs("UpdateService", update).await.unwrap();
    }

    pub(crate) async fn scale(&self, service: &str, count: u32) {
        self.update(service, json!({"desiredCount": count})).await;
    }

    pub(crate) async fn steady(&self, name: &str, count: u32) {
        let ecs = self.stage.sandbox.ecs();
        let steady = |service: &sandbox::ecs::Service| service.is_steady() && service.running == count;
        ecs.wait_for_service(CLUSTER, name, PATIENCE, steady).await.unwrap();
    }

    pub(crate) fn tasks(&self, service: &str) -> Vec<Task> {
        self.stage.sandbox.ecs().running(CLUSTER, service)
    }

    /// `kill -9`, as a bug would; the task is over then.
    pub(crate) async fn crash(&self, task: &Task) {
        let ecs = self.stage.sandbox.ecs();
        let pid = ecs.pid(&task.id, "agent").unwrap();
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().await.unwrap().success());
        ecs.wait_for_task(&task.id, PATIENCE, |task| !task.is_running()).await.unwrap();
    }

    /// Takes an address and lets it go later: the task that starts after that gets it, and not the one of a task that it
    /// replaces.
    pub(crate) async fn free_an_address(&self) {
        self.scale("filler", 0).await;
        self.steady("filler", 0).await;
    }

    /// Sets a variable of the function's environment, and leaves the others.
    pub(crate) async fn set_variable(&self, name: &str, value: impl FnOnce(&str) -> String) {
        let function = self.stage.stack.output("ConsoleRegistrarFunctionName").unwrap();
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let root = self.stage.sandbox.aws();
        let configuration = root.rest("lambda", "GET", &path, Vec::new()).await.unwrap();
        let configuration: Value = serde_json::from_str(&configuration).unwrap();
        let mut variables = configuration["Environment"]["Variables"].clone();
        variables[name] = json!(value(variables[name].as_str().unwrap_or_default()));
        let change = json!({"Environment": {"Variables": variables}}).to_string();
        root.rest("lambda", "PUT", &path, change.into_bytes()).await.unwrap();
    }

    pub(crate) fn scripts(&self) -> Value {
        self.scripts_with(&self.login)
    }

    pub(crate) fn scripts_with(&self, secret: &str) -> Value {
        let url = format!("{}/console/ScriptRunner", self.console.endpoint());
        json!({"ScriptRunner": {"Url": url, "Credentials": secret}})
    }

    pub(crate) fn rest(&self) -> Value {
        json!({"Rest": {"Url": self.console.endpoint(), "Credentials": self.token}})
    }

    /// Waits until the Console has just these agents for the service, Online and each at a task of its own.
    pub(crate) async fn has(&self, service: &str, ids: &[&str]) -> Vec<Registered> {
        let prefix = ids.first().map(|id| id.split('-').next().unwrap_or(id).to_owned());
        let right = |agents: &[Registered]| {
            let ours = |one: &&Registered| prefix.as_ref().is_none_or(|prefix| one.agent.id.starts_with(prefix));
            let agents: Vec<&Registered> = agents.iter().filter(ours).collect();
            let mut hosts: Vec<_> = agents.iter().map(|one| one.agent.host.clone()).collect();
            let mut tasks: Vec<_> =
                self.tasks(service).iter().filter_map(|task| Some(task.address()?.to_string())).collect();
            hosts.sort();
            tasks.sort();
            agents.iter().map(|one| one.agent.id.as_str()).eq(ids.iter().copied()) && (ids.is_empty() || hosts == tasks)
        };
        self.console.wait_for_agents(2 * PATIENCE, right).await.unwrap()
    }

    /// The ids that the Console has now.
    pub(crate) async fn ids(&self) -> Vec<String> {
        self.console.agents().await.into_iter().map(|one| one.agent.id).collect()
    }

    /// What happened to definitions since, in short.
    pub(crate) fn changes(&self, from: usize) -> Vec<(Event, String)> {
        let told = |change: &Change| !matches!(change.event, Event::Online | Event::Offline);
        let changes = self.console.history().into_iter().skip(from).filter(told);
        changes.map(|change| (change.event, change.agent.id)).collect()
    }

    /// Wakes the function with a sweep, and waits until it is done with all it has.
    pub(crate) async fn sweep(&self) {
        self.send(&json!({"watchkeeper": "sweep"}).to_string()).await;
        self.quiet().await;
    }

    /// Puts a message into the function's queue.
    pub(crate) async fn send(&self, body: &str) {
        let message = json!({"QueueUrl": self.queue(), "MessageBody": body});
        self.stage.sandbox.aws().json("sqs", "AmazonSQS.SendMessage", &message).await.unwrap();
    }

    /// Waits until the function is done with all that was emitted.
    pub(crate) async fn quiet(&self) {
        self.stage.sandbox.bus().delivered().await;
        let empty = async {
            let mut poll = interval(Duration::from_millis(50));
            while !self.stage.is_empty(self.queue()).await.unwrap() {
                poll.tick().await;
            }
        };
        timeout(2 * PATIENCE, empty).await.unwrap();
    }

    fn queue(&self) -> &str {
        self.stage.stack.output("ConsoleRegistrarQueueUrl").unwrap()
    }

    /// Waits until so many requests of stacks are noted to be tried again.
    pub(crate) async fn waiting(&self, count: usize) {
        let query = json!({
            "TableName": self.stage.stack.output("TableName").unwrap(), "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "waiting#console-registrar"}}, "ConsistentRead": true,
        });
        let looks = self.stage.sandbox.looks();
        let noted = async {
            let mut poll = interval(Duration::from_millis(50));
            loop {
                poll.tick().await;
                let answer = looks.json("dynamodb", "DynamoDB_20120810.Query", &query).await.unwrap();
                if answer["Items"].as_array().is_some_and(|items| items.len() == count) {
                    return;
                }
            }
        };
        timeout(PATIENCE, noted).await.unwrap();
    }

    /// From now on no sweep comes by itself.
    pub(crate) async fn stop_the_clock(&self) {
        let listed = aws(&self.stage, &["scheduler", "list-schedules"]).await.unwrap();
        let mut stopped = 0;
        for schedule in listed["Schedules"].as_array().unwrap() {
            let (name, group) = (schedule["Name"].as_str().unwrap(), schedule["GroupName"].as_str().unwrap());
            if name.contains("ConsoleRegistrarSweep") {
                let delete = ["scheduler", "delete-schedule", "--name", name, "--group-name", group];
                aws(&self.stage, &delete).await.unwrap();
                stopped += 1;
            }
        }
        assert_eq!(stopped, 1, "{listed}");
    }

    /// From now on no event of ECS arrives.
    pub(crate) fn lose_events(&self) {
        let events =
            vec![EventRule::new(EventMatch { source: "aws.ecs".into(), ..EventMatch::default() }, EventEffect::Drop)];
        self.stage.sandbox.disorder().set(Plan { events, ..Plan::default() }).unwrap();
    }

    pub(crate) fn find_events(&self) {
        self.stage.sandbox.disorder().clear();
    }

    /// All that the function logged.
    pub(crate) async fn log(&self) -> String {
        let group = ["logs", "filter-log-events", "--log-group-name", LOG];
        let answer = aws(&self.stage, &group).await.unwrap();
        let lines = answer["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Checks what must be so at the end of a good story: nothing was refused by IAM, nothing secret was told.
    pub(crate) async fn ends_well(&self, stacks: &[&Stack<'_>]) {
        let refused = self.stage.sandbox.door().calls_where(0, |call| by_it(call) && is_refused(call));
        assert!(refused.is_empty(), "{refused:?}");
        self.keeps_secrets(stacks).await;
    }

    /// Checks what must be so at the end of every story: nothing secret was told, and our ECS kept to its model.
    pub(crate) async fn keeps_secrets(&self, stacks: &[&Stack<'_>]) {
        let mut told = self.log().await;
        assert!(told.contains("decided"), "the log is read: {told}");
        for stack in stacks {
            told += &stack.events().await;
        }
        for mail in self.stage.inbox.mails() {
            told += &mail.subject;
            told += &mail.text;
        }
        let login = self.console.login();
        for secret in [login.password.reveal(), login.token.reveal(), WRONG] {
            let line = told.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "a secret is told");
        }
        assert_eq!(self.stage.sandbox.model_faults(), Vec::<String>::new());
    }
}

/// A password that is never right.
pub(crate) const WRONG: &str = "hunter2-is-wrong";

pub(crate) async fn secret(stage: &Stage, name: &str, value: &str, tags: &[(&str, &str)]) -> String {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let create = json!({"Name": name, "SecretString": value, "Tags": tags});
    let answer = stage.sandbox.aws().json("secretsmanager", "secretsmanager.CreateSecret", &create).await.unwrap();
    answer["ARN"].as_str().unwrap().to_owned()
}

pub(crate) fn by_it(call: &Call) -> bool {
    call.caller == "console-registrar"
}

pub(crate) fn is_refused(call: &Call) -> bool {
    call.outcome.as_ref().is_some_and(|outcome| {
        outcome.status == 403 || outcome.error.as_ref().is_some_and(|error| error.contains("AccessDenied"))
    })
}
