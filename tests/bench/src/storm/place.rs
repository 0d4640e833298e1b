//! Where the storm is: the sandbox with the table, the topic and the queue that the stack would have, and services whose tasks do
//! not come up.

use std::time::Duration;

use anyhow::Context;
use sandbox::inbox::Inbox;
use sandbox::{Options, Pace, Sandbox};
use serde_json::{Value, json};

use super::events::{CLUSTERS, SERVICES, Storm, service_name};
use super::mapping::{Message, Queue};

/// The table's name.
const TABLE: &str = "storm-state";

/// The place.
pub struct Place {
    /// The local AWS.
    pub sandbox: Sandbox,
    /// What ops get.
    pub inbox: Inbox,
    topic: String,
    queue: String,
}

impl Place {
    /// Starts and fills it.
    pub async fn make(storm: &Storm, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        progress(&format!("starting the sandbox for {} stops", storm.stopped()));
        // No task gets anywhere while the storm lasts: that is the outage.
        let outage = Pace { state: Duration::from_hours(1), ..Pace::default() };
        let sandbox = Sandbox::start(Options { pace: outage, ..Options::default() }, &progress).await?;
        let aws = sandbox.looks();
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let table = json!({
            "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        });
        aws.json("dynamodb", "DynamoDB_20120810.CreateTable", &table).await?;
        let made = aws.query("sns", "CreateTopic", &[("Name", "storm-alerts")]).await?;
        let topic = made.split("<TopicArn>").nth(1).and_then(|rest| rest.split('<').next());
        let topic = topic.context("the new topic has no ARN")?.to_owned();
        let made = aws.json("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": "storm"})).await?;
        let queue = made["QueueUrl"].as_str().context("the new queue has no URL")?.to_owned();
        let inbox = Inbox::subscribe(&sandbox, &topic).await?;
        let place = Self { sandbox, inbox, topic, queue };
        for cluster in CLUSTERS {
            place.cluster(cluster).await?;
        }
        Ok(place)
    }

    async fn cluster(&self, name: &str) -> anyhow::Result<()> {
        self.ecs("CreateCluster", json!({"clusterName": name})).await?;
        let definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "agent", "image": "busybox:1", "essential": true}]
        });
        self.ecs("RegisterTaskDefinition", definition).await?;
        for number in 0..SERVICES {
            let service = json!({
                "cluster": name, "serviceName": service_name(number), "taskDefinition": format!("{name}:1"), "desiredCount": 1,
                "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
            });
            self.ecs("CreateService", service).await?;
        }
        Ok(())
    }

    async fn ecs(&self, action: &str, request: Value) -> anyhow::Result<()> {
        let target = format!("AmazonEC2ContainerServiceV20141113.{action}");
        self.sandbox.looks().json("ecs", &target, &request).await?;
        Ok(())
    }

    /// The function's environment as the template has it, but for times: a digest each minute and not each five, what follows a
    /// first message is gathered for 2 s and not for 10, and missing tasks are no news of their own.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        [
            ("TABLE_NAME", TABLE),
            ("TOPIC_ARN", &self.topic),
            ("QUEUE_URL", &self.queue),
            ("DEAD_LETTER_QUEUE_URL", &self.queue),
            ("STACK_NAME", "storm"),
            ("OWN_ALARM_PREFIX", "watchkeeper-storm-"),
            ("STORM_MINUTES", "1"),
            ("GROUP_WAIT_SECONDS", "2"),
            ("BELOW_DESIRED_MINUTES", "1440"),
            ("DEPLOYMENT_STUCK_MINUTES", "1440"),
            ("AWS_REGION", &self.sandbox.options().region),
            ("AWS_ENDPOINT_URL", self.sandbox.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SDK_UA_APP_ID", sandbox::stage::FUNCTION),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    }

    /// Brings what the function sends itself from SQS to the mapping's queue; ends only by failing.
    pub async fn bring_looks(&self, queue: &Queue) -> anyhow::Result<()> {
        loop {
            self.looks(1).await?.into_iter().for_each(|look| queue.put_first(look));
        }
    }

    /// What the function sent itself and is due now; `wait` seconds for the first.
    pub async fn looks(&self, wait: u32) -> anyhow::Result<Vec<Message>> {
        let aws = self.sandbox.looks();
        let receive = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait});
        let answer = aws.json("sqs", "AmazonSQS.ReceiveMessage", &receive).await?;
        let mut looks = Vec::new();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let delete = json!({"QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"]});
            aws.json("sqs", "AmazonSQS.DeleteMessage", &delete).await?;
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            looks.push(Message { id: text("MessageId"), body: text("Body"), incident: None });
        }
        Ok(looks)
    }

    /// Whether no digest waits, nor is on its way, nor may come because the storm is over.
    pub async fn nothing_waits(&self) -> anyhow::Result<bool> {
        let get = json!({
            "TableName": TABLE, "Key": {"pk": {"S": "incidents-desk"}, "sk": {"S": "desk"}}, "ConsistentRead": true
        });
        let answer = self.sandbox.looks().json("dynamodb", "DynamoDB_20120810.GetItem", &get).await?;
        let spell = &state(&answer["Item"])?["spell"];
        let nothing = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        Ok(nothing(&spell["waiting"]) && spell["outbox"].is_null() && spell["storm"] != true)
    }

    /// The live incidents as they are stored.
    pub async fn incidents(&self) -> anyhow::Result<Vec<Value>> {
        let mut query = json!({
            "TableName": TABLE, "KeyConditionExpression": "pk = :pk", "ConsistentRead": true,
            "ExpressionAttributeValues": {":pk": {"S": "incidents"}}
        });
        let mut found = Vec::new();
        loop {
            let answer = self.sandbox.looks().json("dynamodb", "DynamoDB_20120810.Query", &query).await?;
            for item in answer["Items"].as_array().into_iter().flatten() {
                found.push(state(item)?);
            }
            if answer["LastEvaluatedKey"].is_null() {
                return Ok(found);
            }
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"].clone();
        }
    }
}

fn state(item: &Value) -> anyhow::Result<Value> {
    let text = item["state"]["S"].as_str().context("an item of the table has no state")?;
    serde_json::from_str(text).context("reading an item of the table")
}
