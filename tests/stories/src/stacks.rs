//! Stacks of users, made with the local AWS's CloudFormation.
#![allow(clippy::missing_panics_doc, reason = "only tests drive stacks, and they fail by panicking")]

use std::time::Duration;

use sandbox::stage::{PATIENCE, Stage};
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

/// A stack that was created.
pub struct Stack<'a> {
    stage: &'a Stage,
    /// A deleted stack answers to its id only.
    id: String,
}

impl<'a> Stack<'a> {
    /// Begins to create it.
    pub async fn create(stage: &'a Stage, name: &str, resources: &Value, outputs: &Value) -> Self {
        Self::create_of(stage, name, &template(resources, outputs), &[]).await
    }

    /// Begins to create it of a whole template, with these parameters.
    pub async fn create_of(stage: &'a Stage, name: &str, template: &str, parameters: &[(&str, &str)]) -> Self {
        let mut given = vec![("StackName".to_owned(), name), ("TemplateBody".to_owned(), template)];
        for (number, (key, value)) in (1..).zip(parameters) {
            given.push((format!("Parameters.member.{number}.ParameterKey"), *key));
            given.push((format!("Parameters.member.{number}.ParameterValue"), *value));
        }
        let given: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let answer = stage.sandbox.aws().query("cloudformation", "CreateStack", &given).await;
        let id = answer.ok().and_then(|answer| texts(&answer, "StackId").pop()).unwrap_or_default();
        Self { stage, id }
    }

    /// Begins to update it.
    pub async fn update(&self, resources: &Value, outputs: &Value) {
        self.act("UpdateStack", &[("TemplateBody", &template(resources, outputs))]).await;
    }

    /// Begins to delete it.
    pub async fn delete(&self) {
        self.act("DeleteStack", &[]).await;
    }

    /// Waits until it comes to rest, in `status`; returns what it is then.
    pub async fn comes_to(&self, status: &str) -> String {
        let mut poll = interval(Duration::from_millis(20));
        let rest = async {
            loop {
                poll.tick().await;
                let described = self.act("DescribeStacks", &[]).await;
                if texts(&described, "StackStatus").iter().any(|status| !status.ends_with("_IN_PROGRESS")) {
                    return described;
                }
            }
        };
        let described = timeout(PATIENCE, rest).await.unwrap_or_default();
        assert_eq!(texts(&described, "StackStatus"), [status], "{}", self.events().await);
        described
    }

    /// Waits until it is gone.
    pub async fn is_deleted(&self) {
        self.comes_to("DELETE_COMPLETE").await;
    }

    /// All that happened to it, with XML's quotes undone.
    pub async fn events(&self) -> String {
        self.act("DescribeStackEvents", &[])
            .await
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Checks what it is now.
    pub async fn is(&self, status: &str) {
        let described = self.act("DescribeStacks", &[]).await;
        assert_eq!(texts(&described, "StackStatus"), [status], "{}", self.events().await);
    }

    /// Why a resource came to this status; the newest time counts.
    pub async fn reason(&self, resource: &str, status: &str) -> String {
        let events = self.events().await;
        let mut found = events.split("<member>").filter_map(|event| {
            let is = |element: &str, text: &str| texts(event, element).iter().any(|found| found == text);
            let about = is("LogicalResourceId", resource) && is("ResourceStatus", status);
            texts(event, "ResourceStatusReason").pop().filter(|_| about)
        });
        found.next().unwrap_or_else(|| panic!("{resource} never came to {status}: {events}"))
    }

    async fn act(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let parameters = [&[("StackName", self.id.as_str())], parameters].concat();
        let answer = self.stage.sandbox.aws().query("cloudformation", action, &parameters).await;
        answer.unwrap_or_else(|error| panic!("{action}: {error}"))
    }
}

fn template(resources: &Value, outputs: &Value) -> String {
    let mut template = json!({"Resources": resources});
    if outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
        template["Outputs"] = outputs.clone();
    }
    template.to_string()
}

/// The texts of all elements of that name.
fn texts(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}
