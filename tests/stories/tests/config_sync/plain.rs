//! Documents without a database, and services that read them when their tasks start.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use sandbox::Options;
use sandbox::stage::{PATIENCE, Stage};
use serde_json::{Value, json};
use stories::agents::{Agents, CLUSTER, IMAGE, secret};
use stories::stacks::Stack;
use tokio::time::{interval, timeout};

use crate::scene::{CONFIG_SYNC, keeps_secrets};

/// The tag that lets every stack use a thing.
pub(crate) const ALLOWED: [(&str, &str); 1] = [("watchkeeper:allow", "@any")];
/// The variable in which a reader finds its first document; the second is `DOCUMENT_1`.
const FIRST: &str = "DOCUMENT_0";

/// A sandbox with our stack, and a cluster for services.
pub(crate) struct Plain {
    agents: Agents,
    /// What tasks read documents with.
    role: String,
}

impl Deref for Plain {
    type Target = Agents;

    fn deref(&self) -> &Agents {
        &self.agents
    }
}

impl Plain {
    pub(crate) async fn set() -> Self {
        let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
        let statement = |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]});
        let policy = json!({"Version": "2012-10-17", "Statement": [
            statement("secretsmanager:GetSecretValue"), statement("ssm:GetParameters"),
        ]});
        let (role, aws) = (("RoleName", "readers"), stage.sandbox.aws());
        aws.query("iam", "CreateRole", &[role, ("AssumeRolePolicyDocument", &trust.to_string())]).await.unwrap();
        let policy = [role, ("PolicyName", "documents"), ("PolicyDocument", &policy.to_string())];
        aws.query("iam", "PutRolePolicy", &policy).await.unwrap();
        let role = format!("arn:aws:iam::{}:role/readers", stage.sandbox.options().account);
        Self { agents: Agents::set(stage, CONFIG_SYNC).await, role }
    }

    /// A secret that every stack may use.
    pub(crate) async fn secret(&self, name: &str, text: &str) -> String {
        secret(&self.stage, name, text, &ALLOWED).await
    }

    /// A parameter that every stack may use, unless `more` says otherwise.
    pub(crate) async fn parameter(&self, name: &str, text: &str, more: Value) -> String {
        let mut put = json!({"Name": name, "Value": text, "Type": "SecureString",
            "Tags": [{"Key": ALLOWED[0].0, "Value": ALLOWED[0].1}]});
        extend(&mut put, more);
        self.ssm("PutParameter", put).await;
        let options = self.stage.sandbox.options();
        format!("arn:aws:ssm:{}:{}:parameter/{}", options.region, options.account, name.trim_start_matches('/'))
    }

    /// Calls Secrets Manager as a person would.
    pub(crate) async fn manager(&self, action: &str, request: Value) -> Value {
        let operation = format!("secretsmanager.{action}");
        self.stage.sandbox.aws().json("secretsmanager", &operation, &request).await.unwrap()
    }

    /// Calls Parameter Store as a person would.
    pub(crate) async fn ssm(&self, action: &str, request: Value) -> Value {
        self.stage.sandbox.aws().json("ssm", &format!("AmazonSSM.{action}"), &request).await.unwrap()
    }

    /// What a document says now.
    pub(crate) async fn text(&self, arn: &str) -> String {
        let value = if arn.contains(":ssm:") {
            self.ssm("GetParameter", json!({"Name": arn, "WithDecryption": true})).await["Parameter"]["Value"].clone()
        } else {
            self.manager("GetSecretValue", json!({"SecretId": arn})).await["SecretString"].clone()
        };
        value.as_str().unwrap().to_owned()
    }

    /// Puts a text into a document, as a person would.
    pub(crate) async fn put(&self, arn: &str, text: &str) {
        if let Some((_, name)) = arn.split_once(":parameter/") {
            // Only a name that is a path begins with a slash.
            let name = if name.contains('/') { format!("/{name}") } else { name.to_owned() };
            self.ssm("PutParameter", json!({"Name": name, "Value": text, "Overwrite": true})).await;
        } else {
            self.manager("PutSecretValue", json!({"SecretId": arn, "SecretString": text})).await;
        }
    }

    /// Waits until a document says this.
    pub(crate) async fn says(&self, arn: &str, text: &str) {
        until(&format!("{arn} says what it should"), async || self.text(arn).await == text).await;
    }

    /// A service of one task that reads these documents at its start, and that every stack may have restarted; waits until it is
    /// steady.
    pub(crate) async fn reader(&self, name: &str, documents: &[&str]) {
        self.begin_reader(name, documents, IMAGE, json!({})).await;
        self.steady(name, 1).await;
    }

    /// The same of this image, and with these members of `CreateService`; nothing is waited for.
    pub(crate) async fn begin_reader(&self, name: &str, documents: &[&str], image: &str, more: Value) {
        let secrets = documents.iter().enumerate();
        let secrets = secrets.map(|(at, document)| json!({"name": format!("DOCUMENT_{at}"), "valueFrom": document}));
        let definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "executionRoleArn": self.role, "containerDefinitions": [{
                "name": "agent", "image": image, "essential": true, "stopTimeout": 5, "secrets": secrets.collect::<Vec<_>>(),
            }]
        });
        let answer = self.stage.ecs("RegisterTaskDefinition", definition).await.unwrap();
        let mut service = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"],
            "desiredCount": 1, "launchType": "FARGATE", "tags": [{"key": ALLOWED[0].0, "value": ALLOWED[0].1}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
        });
        extend(&mut service, more);
        self.stage.ecs("CreateService", service).await.unwrap();
    }

    /// What each task of a service that runs has read at its start.
    pub(crate) fn read_by(&self, service: &str) -> Vec<String> {
        let of_task = |task: &sandbox::ecs::Task| {
            let pid = self.stage.sandbox.ecs().pid(&task.id, "agent")?;
            let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0).filter_map(|one| std::str::from_utf8(one).ok());
            variables.find_map(|one| Some(one.strip_prefix(FIRST)?.strip_prefix('=')?.to_owned()))
        };
        self.tasks(service).iter().filter_map(of_task).collect()
    }

    /// Waits until a service is steady again, and each of its tasks has read this.
    pub(crate) async fn runs_on(&self, service: &str, text: &str) {
        until(&format!("{service} runs on what it should"), async || {
            let steady = self.stage.sandbox.ecs().service(CLUSTER, service).is_some_and(|service| service.is_steady());
            let read = self.read_by(service);
            steady && !read.is_empty() && read.iter().all(|read| read == text)
        })
        .await;
    }

    /// The ids of the deployments that a service has had of our function.
    pub(crate) fn restarts(&self, service: &str) -> usize {
        let of_it = |call: &sandbox::Call| {
            let asked = call.is("ecs", "UpdateService") && call.outcome.as_ref().is_some_and(|it| it.status == 200);
            self.is_by_it(call) && asked && call.resource.as_deref().is_some_and(|it| is_named(it, service))
        };
        self.stage.sandbox.door().calls_where(0, of_it).len()
    }

    /// The calls of our function that change something beside its own table and queues.
    pub(crate) fn changes(&self) -> BTreeMap<String, usize> {
        const CHANGES: [&str; 5] =
            ["PutSecretValue", "UpdateSecretVersionStage", "PutParameter", "UpdateService", "StopTask"];
        let mut changes = BTreeMap::new();
        for call in self.stage.sandbox.door().calls_where(0, |call| self.is_by_it(call)) {
            if CHANGES.contains(&call.action.as_str()) {
                *changes.entry(call.action).or_default() += 1;
            }
        }
        changes
    }

    /// Begins to create a stack with this declaration.
    pub(crate) async fn stack(&self, name: &str, declared: Value) -> Stack<'_> {
        Stack::create(&self.stage, name, &json!({"Sync": self.sync(declared)}), &outputs()).await
    }

    /// A declaration as a resource.
    pub(crate) fn sync(&self, declared: Value) -> Value {
        let token = self.stage.stack.output("ConfigSyncServiceToken").unwrap();
        let mut properties = json!({"ServiceToken": token});
        extend(&mut properties, declared);
        json!({"Type": "Custom::ConfigSync", "Properties": properties})
    }

    /// Waits for an alert with all of this in it.
    pub(crate) async fn told(&self, from: usize, parts: &[&str]) -> sandbox::inbox::Mail {
        let has = |mail: &sandbox::inbox::Mail| {
            // Long lines are broken.
            let words: Vec<_> = mail.subject.split_whitespace().chain(mail.text.split_whitespace()).collect();
            let all = words.join(" ");
            parts.iter().all(|part| all.contains(part))
        };
        let found = self.stage.inbox.wait_for(from, PATIENCE, has).await;
        found.unwrap_or_else(|error| panic!("{parts:?}: {error}; {}", self.mails(from)))
    }

    /// How many alerts have arrived.
    pub(crate) fn mail_count(&self) -> usize {
        self.stage.inbox.mails().len()
    }

    fn mails(&self, from: usize) -> String {
        let mails = self.stage.inbox.mails().into_iter().skip(from);
        mails.map(|mail| format!("{}\n{}", mail.subject, mail.text)).collect::<Vec<_>>().join("\n")
    }

    /// What must be so at the end of a good story.
    pub(crate) async fn ends_well(&self, planted: &[&str]) {
        self.was_never_refused();
        keeps_secrets(self, planted).await;
    }
}

/// The outputs of a stack with the declaration `Sync`.
pub(crate) fn outputs() -> Value {
    let of = |name: &str| (name.to_owned(), json!({"Value": {"Fn::GetAtt": ["Sync", name]}}));
    Value::Object(["Target", "Plan", "Changed", "Services", "Warnings", "Decision"].map(of).into_iter().collect())
}

/// An output of a described stack.
pub(crate) fn output(described: &str, name: &str) -> String {
    let key = format!("<OutputKey>{name}</OutputKey>");
    let member = described.split("<member>").find(|member| member.contains(&key)).unwrap_or_default();
    let value = member.split("<OutputValue>").nth(1).and_then(|rest| rest.split("</OutputValue>").next());
    value.unwrap_or_default().replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}

/// The ARN of a service in the cluster.
pub(crate) fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:service/{CLUSTER}/{name}")
}

/// Waits until it is so; nothing announces it.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let found = async {
        let mut poll = interval(Duration::from_millis(100));
        while !is_so().await {
            poll.tick().await;
        }
    };
    assert!(timeout(PATIENCE, found).await.is_ok(), "it never was so: {what}");
}

/// The same with these members; one that is null goes.
pub(crate) fn with(mut declared: Value, more: Value) -> Value {
    extend(&mut declared, more);
    declared
}

fn extend(object: &mut Value, more: Value) {
    let (Value::Object(object), Value::Object(more)) = (object, more) else { panic!("both are objects") };
    object.extend(more);
    object.retain(|_, value| !value.is_null());
}

fn is_named(arn_or_name: &str, name: &str) -> bool {
    arn_or_name.rsplit('/').next() == Some(name)
}
