"""Tells ops of ECS tasks that crashed: the plain version, in Python, of crash-alerts' main path.

For each event of an SQS batch: decide whether the task crashed, claim the alert in the table, publish it,
record that it was sent. What goes wrong for one message sends that message back, and only that one.
"""

import json
import logging
import os
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE = os.environ["TABLE_NAME"]
TOPIC = os.environ["TOPIC_ARN"]
MONTH = 30 * 24 * 3600
ALERTS = uuid.UUID("1f0c3a52-6c5e-4f55-9d0e-64a3a6f0b7c9")

logger = logging.getLogger()
logger.setLevel(logging.INFO)

# A call that hangs is tried again before the function's own time-out.
config = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
dynamodb = boto3.client("dynamodb", config=config)
sns = boto3.client("sns", config=config)


class InFlight(Exception):
    """Another invocation is sending this alert."""


def handler(batch, context):
    failures = []
    for message in batch["Records"]:
        try:
            handle(json.loads(message["body"]), message["messageId"], context)
        except Exception:
            logger.exception("message %s must come again", message["messageId"])
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def handle(event, message_id, context):
    if event["detail-type"] != "ECS Task State Change" or not crashed(event["detail"]):
        return
    task = event["detail"]
    alert_id = str(uuid.uuid5(ALERTS, task["taskArn"]))
    if not claim(task["taskArn"], alert_id, f"{context.aws_request_id} {message_id}", context):
        logger.info("already told: %s", alert_id)
        return
    published = sns.publish(TopicArn=TOPIC, Subject=subject(task), Message=body(event, alert_id))
    record(task["taskArn"], published["MessageId"])
    logger.info("told ops: %s", alert_id)


def crashed(task):
    """Planned stops are silent, and so is a standalone task that ended well."""
    if task["lastStatus"] != "STOPPED" or task.get("stopCode") == "UserInitiated":
        return False
    if task.get("stopCode") == "ServiceSchedulerInitiated":
        # The scheduler also stops tasks that failed their health checks.
        return "failed" in task.get("stoppedReason", "").lower()
    if task.get("group", "").startswith("service:") or task.get("stopCode") == "TaskFailedToStart":
        return True
    return any(container.get("exitCode") != 0 for container in task["containers"])


def key(task_arn):
    return {"pk": {"S": f"task#{task_arn}"}, "sk": {"S": "alert#stopped"}}


def milliseconds(seconds):
    return {"N": str(int(seconds * 1000))}


def claim(task_arn, alert_id, holder, context):
    """Writes the intent to alert; false if the alert was sent before."""
    now = time.time()
    try:
        dynamodb.put_item(
            TableName=TABLE,
            Item={
                **key(task_arn),
                "schema": {"N": "1"},
                "expires_at": {"N": str(int(now) + MONTH)},
                "state": {"S": "intended"},
                "alert_id": {"S": alert_id},
                "intended_at": milliseconds(now),
                "holder": {"S": holder},
                "held_until": milliseconds(now + context.get_remaining_time_in_millis() / 1000),
            },
            ConditionExpression="attribute_not_exists(pk)"
            " OR (#state = :intended AND (held_until < :now OR holder = :holder))",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":intended": {"S": "intended"},
                ":now": milliseconds(now),
                ":holder": {"S": holder},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        if error.response.get("Item", {}).get("state", {}).get("S") == "sent":
            return False
        raise InFlight from error
    return True


def record(task_arn, sns_id):
    """Writes the success."""
    dynamodb.update_item(
        TableName=TABLE,
        Key=key(task_arn),
        UpdateExpression="SET #state = :sent, message_id = :message, sent_at = :now",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":sent": {"S": "sent"},
            ":message": {"S": sns_id},
            ":now": milliseconds(time.time()),
        },
    )


def about(task):
    return task.get("group", "").removeprefix("service:") or task["taskArn"].rsplit("/", 1)[-1]


def what_happened(task):
    for container in task["containers"]:
        if container.get("reason"):
            return f"container {container['name']}: {container['reason']}"
        if container.get("exitCode"):
            return f"container {container['name']} exited with code {container['exitCode']}"
    return task.get("stoppedReason", "the task stopped")


def subject(task):
    # SNS takes fewer than 100 ASCII characters, on one line.
    text = f"CRASH {about(task)}: {what_happened(task)}".encode("ascii", "replace").decode()
    return " ".join(text.split())[:99]


def body(event, alert_id):
    task = event["detail"]
    facts = {
        "Service": about(task),
        "Cluster": task["clusterArn"].rsplit("/", 1)[-1],
        "Task": task["taskArn"].rsplit("/", 1)[-1],
        "Revision": task["taskDefinitionArn"].rsplit("/", 1)[-1],
        "Image": ", ".join(container.get("image", "") for container in task["containers"]),
        "Reason": task.get("stoppedReason", ""),
        "Started": task.get("startedAt", "never"),
        "Stopped": task.get("stoppedAt", event["time"]),
        "Account": f"{event['account']} in {event['region']}",
    }
    lines = [f"{about(task)}: {what_happened(task)}", ""]
    lines += [f"{label:<11}{value}" for label, value in facts.items()]
    lines += ["", f"Alert {alert_id}"]
    return "\n".join(lines)
