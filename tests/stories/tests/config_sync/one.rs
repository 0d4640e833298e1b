//! One agent with one document and one declaration: the smallest chain, of which each call can be counted.

use std::collections::BTreeMap;

use sandbox::Call;
use sandbox::disorder::{Added, EventEffect, EventMatch, EventRule, Plan};
use sandbox::inbox::Mail;
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use stories::agents::{CLUSTER, IMAGE, secret};
use stories::stacks::Stack;
use tokio::time::{Duration, interval};

use crate::scene::Scene;

/// The service.
pub(crate) const AGENT: &str = "agent";
/// A day, in milliseconds: for so long the agent runs by itself.
const RUN_FOR: &str = "86400000";
/// A token beside the password that is nobody's business either.
const TOKEN: &str = "dbw_0123456789abcdef0123456789abcdef";
/// The name of the parameter, where the target is one.
const PARAMETER: &str = "/one/config";

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Secret,
    Parameter,
}

/// The chain.
pub(crate) struct One<'a> {
    scene: &'a Scene,
    kind: Kind,
    /// Its ARN.
    target: String,
}

impl<'a> One<'a> {
    /// The agent runs, and the stack with its declaration is there; `properties` are the declaration's beside the usual ones, or
    /// take them away where they are null. The clock stands still: each sweep is a story's own.
    pub(crate) async fn set(scene: &'a Scene, kind: Kind, properties: Value) -> Self {
        scene.stop_the_clock().await;
        let login = scene.database.master_login("AWSCURRENT").await.unwrap();
        let document = format!(
            "{{\n  \"password\" : {},\n\t\"token\":\"{TOKEN}\", \"run_ms\": \"{RUN_FOR}\",\n\n  \"level\": \"info\"}}",
            json!(login.password())
        );
        let stage = &scene.stage;
        let target = match kind {
            Kind::Secret => secret(stage, "one/config", &document, &[("watchkeeper:allow", "@any")]).await,
            Kind::Parameter => {
                let tags = json!([{"Key": "watchkeeper:allow", "Value": "@any"}]);
                let put = json!({"Name": PARAMETER, "Value": document, "Type": "SecureString", "Tags": tags});
                stage.sandbox.aws().json("ssm", "AmazonSSM.PutParameter", &put).await.unwrap();
                format!("arn:aws:ssm:eu-west-1:123456789012:parameter{PARAMETER}")
            }
        };
        serve(scene, kind, &target).await;
        let mut declared = json!({
            "ServiceToken": scene.token(),
            "Sources": {"db": {"Cluster": scene.database.arn()}},
            "Target": {if kind == Kind::Secret { "Secret" } else { "Parameter" }: target},
            "Values": [{"At": "json:password", "Is": "{db.password}"}],
            "LogIn": {"Source": "db", "CaCertificate": scene.database.server().ca_pem()},
        });
        let all = declared.as_object_mut().unwrap();
        all.extend(properties.as_object().unwrap().clone());
        all.retain(|_, value| !value.is_null());
        let resources = json!({"Sync": {"Type": "Custom::ConfigSync", "Properties": declared}});
        let stack = Stack::create(stage, "one", &resources, &json!({})).await;
        stack.comes_to("CREATE_COMPLETE").await;
        scene.quiet().await;
        Self { scene, kind, target }
    }

    /// The target as it is now.
    pub(crate) async fn document(&self) -> String {
        let looks = self.scene.stage.sandbox.looks();
        let answer = match self.kind {
            Kind::Secret => {
                let get = json!({"SecretId": self.target});
                looks.json("secretsmanager", "secretsmanager.GetSecretValue", &get).await.unwrap()["SecretString"]
                    .clone()
            }
            Kind::Parameter => {
                let get = json!({"Name": PARAMETER, "WithDecryption": true});
                looks.json("ssm", "AmazonSSM.GetParameter", &get).await.unwrap()["Parameter"]["Value"].clone()
            }
        };
        answer.as_str().unwrap().to_owned()
    }

    /// A member of the target.
    pub(crate) async fn member(&self, name: &str) -> String {
        let document: Value = serde_json::from_str(&self.document().await).unwrap();
        document[name].as_str().unwrap().to_owned()
    }

    /// Puts another document in the place of the one that is there, as somebody does by hand.
    pub(crate) async fn put(&self, document: &str) {
        let aws = self.scene.stage.sandbox.aws();
        match self.kind {
            Kind::Secret => {
                let put = json!({"SecretId": self.target, "SecretString": document});
                aws.json("secretsmanager", "secretsmanager.PutSecretValue", &put).await.unwrap();
            }
            Kind::Parameter => {
                let put = json!({"Name": PARAMETER, "Value": document, "Type": "SecureString", "Overwrite": true});
                aws.json("ssm", "AmazonSSM.PutParameter", &put).await.unwrap();
            }
        }
    }

    /// Somebody changes one member of it by hand.
    pub(crate) async fn edit(&self, name: &str, value: &str) {
        self.edit_of(&self.document().await, name, value).await;
    }

    /// Somebody changes one member of what it was when they looked at it.
    pub(crate) async fn edit_of(&self, document: &str, name: &str, value: &str) {
        let read: Value = serde_json::from_str(document).unwrap();
        let old = read[name].to_string();
        assert_eq!(document.matches(&old).count(), 1);
        self.put(&document.replace(&old, &json!(value).to_string())).await;
    }

    /// The password that the agent's newest process was started with.
    pub(crate) fn runs_with(&self) -> String {
        let task = self.scene.tasks(AGENT).pop().unwrap();
        let pid = self.scene.stage.sandbox.ecs().pid(&task.id, "agent").unwrap();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8(environment).unwrap();
        let value = |name: &str| environment.split('\0').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        match self.kind {
            Kind::Secret => value("PASSWORD").unwrap().to_owned(),
            Kind::Parameter => {
                let document: Value = serde_json::from_str(value("CONFIG").unwrap()).unwrap();
                document["password"].as_str().unwrap().to_owned()
            }
        }
    }

    /// Whether all is as it should be: target and agent have the cluster's password.
    pub(crate) async fn is_in_step(&self) {
        let login = self.scene.database.master_login("AWSCURRENT").await.unwrap();
        assert!(self.member("password").await == login.password(), "the target has another password");
        self.scene.steady(AGENT, 1).await;
        assert!(self.runs_with() == login.password(), "the agent has another password");
    }

    /// Waits for the next mail about this document, after so many mails, whose subject begins so.
    pub(crate) async fn told(&self, from: usize, word: &str) -> Mail {
        let name = self.name();
        let is_it = |mail: &Mail| mail.subject.starts_with(word) && mail.text.contains(&name);
        self.scene.stage.inbox.wait_for(from, 2 * PATIENCE, is_it).await.unwrap()
    }

    /// Sweeps until ops get such a mail, a sweep at a time; at most so many.
    pub(crate) async fn sweeps_until_told(&self, from: usize, word: &str, cause: &str, sweeps: usize) -> Mail {
        // As they would come, only more often.
        let (mut found, mut each) = (Vec::new(), interval(Duration::from_secs(2)));
        for _ in 0..sweeps {
            each.tick().await;
            found = self.mails(from, word);
            found.retain(|mail| in_one_line(&mail.text).contains(cause));
            if !found.is_empty() {
                break;
            }
            self.scene.steady(AGENT, 1).await;
            self.scene.sweep().await;
            self.scene.stage.quiet().await.unwrap();
        }
        found.into_iter().next().unwrap_or_else(|| panic!("ops are not told of {cause}"))
    }

    /// The mails about this document since, with such a subject.
    pub(crate) fn mails(&self, from: usize, word: &str) -> Vec<Mail> {
        let name = self.name();
        let of_it = |mail: &Mail| mail.subject.starts_with(word) && mail.text.contains(&name);
        self.scene.stage.inbox.mails().into_iter().skip(from).filter(of_it).collect()
    }

    fn name(&self) -> String {
        match self.kind {
            Kind::Secret => self.target.rsplit(':').next().unwrap().to_owned(),
            Kind::Parameter => PARAMETER.to_owned(),
        }
    }

    /// The calls that the function made since.
    pub(crate) fn calls(&self, from: usize) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.scene.stage.sandbox.door().calls_where(from, |call| self.scene.is_by_it(call)) {
            *calls.entry(format!("{}:{}", call.service, call.action)).or_default() += 1;
        }
        calls
    }

    /// How often it made this call since.
    pub(crate) fn count(&self, from: usize, service: &str, action: &str) -> usize {
        let is_it = |call: &Call| self.scene.is_by_it(call) && call.is(service, action);
        self.scene.stage.sandbox.door().calls_where(from, is_it).len()
    }

    /// From now on no event arrives by itself, as long as the answer is kept.
    pub(crate) fn lose_all_events(&self) -> Added {
        let events = vec![EventRule::new(EventMatch::default(), EventEffect::Drop).named("lost")];
        self.scene.stage.sandbox.disorder().add(Plan { events, ..Plan::default() }).unwrap()
    }

    /// From now on an invocation has 20 s, and what it leaves in the queue comes again after 25: what a killed one holds is free
    /// again in less than half a minute.
    pub(crate) async fn ends_invocations_soon(&self) {
        let stage = &self.scene.stage;
        let path =
            format!("/2015-03-31/functions/{}/configuration", stage.stack.output("ConfigSyncFunctionName").unwrap());
        let timeout = json!({"Timeout": 20}).to_string();
        stage.sandbox.aws().rest("lambda", "PUT", &path, timeout.into_bytes()).await.unwrap();
        let visibility = json!({"QueueUrl": self.scene.queue(), "Attributes": {"VisibilityTimeout": "25"}});
        stage.sandbox.aws().json("sqs", "AmazonSQS.SetQueueAttributes", &visibility).await.unwrap();
    }

    /// The event by which the cluster's secret tells of its newest current version.
    pub(crate) async fn label_event(&self, from: usize) -> Value {
        let secret = self.scene.database.secret_arn().to_owned();
        let is_it = |event: &Value| {
            event["detail-type"] == "Secret Label Updated"
                && event["resources"][0] == secret.as_str()
                && event["detail"]["labelUpdated"] == "AWSCURRENT"
        };
        self.scene.stage.sandbox.bus().wait_for(from, PATIENCE, is_it).await.unwrap()
    }
}

/// A mail's text as it was before its lines were broken.
pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The agent, which gets the document at its start.
async fn serve(scene: &Scene, kind: Kind, target: &str) {
    let stage = &scene.stage;
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]});
    let action = if kind == Kind::Secret { "secretsmanager:GetSecretValue" } else { "ssm:GetParameters" };
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": target}
    ]});
    let (aws, role) = (stage.sandbox.aws(), ("RoleName", "one-execution"));
    aws.query("iam", "CreateRole", &[role, ("AssumeRolePolicyDocument", &trust.to_string())]).await.unwrap();
    let policy = policy.to_string();
    aws.query("iam", "PutRolePolicy", &[role, ("PolicyName", "read"), ("PolicyDocument", &policy)]).await.unwrap();
    let secrets = match kind {
        Kind::Secret => json!([
            {"name": "PASSWORD", "valueFrom": format!("{target}:password::")},
            {"name": "EXIT_AFTER_MS", "valueFrom": format!("{target}:run_ms::")},
        ]),
        Kind::Parameter => json!([{"name": "CONFIG", "valueFrom": target}]),
    };
    let definition = json!({
        "family": AGENT, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/one-execution",
        "containerDefinitions": [
            {"name": "agent", "image": IMAGE, "essential": true, "stopTimeout": 2, "secrets": secrets}
        ]
    });
    let answer = stage.ecs("RegisterTaskDefinition", definition).await.unwrap();
    let service = json!({
        "cluster": CLUSTER, "serviceName": AGENT, "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"],
        "desiredCount": 1, "launchType": "FARGATE", "tags": [{"key": "watchkeeper:allow", "value": "@any"}],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false}},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
    });
    stage.ecs("CreateService", service).await.unwrap();
    scene.steady(AGENT, 1).await;
}
