//! How services say that there were too many calls.

/// The status, code and message of a throttled call.
///
/// The names of botocore's models (`service-2.json`) where a service declares one for the action; else the common errors
/// that each service's API reference lists, by which SDKs tell throttling from other refusals.
pub(crate) fn throttled(service: &str, action: &str) -> (u16, &'static str, &'static str) {
    const RATE: &str = "Rate exceeded";
    match service {
        "dynamodb" if is_about_items(action) => (
            400,
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded.",
        ),
        "sqs" => (400, "RequestThrottled", "Request is throttled."),
        // Only the actions about SMS declare `Throttled`; Publish is throttled with the common error.
        "sns" if is_about_sms(action) => (429, "Throttled", RATE),
        "lambda" => (429, "TooManyRequestsException", "Rate Exceeded."),
        "scheduler" => (429, "ThrottlingException", RATE),
        "s3" => (503, "SlowDown", "Please reduce your request rate."),
        "sns"
        | "monitoring"
        | "cloudformation"
        | "iam"
        | "sts"
        | "rds"
        | "elasticloadbalancing"
        | "route53"
        | "autoscaling" => (400, "Throttling", RATE),
        _ => (400, "ThrottlingException", RATE),
    }
}

/// DynamoDB's actions that read and write items; those about tables say `ThrottlingException`.
fn is_about_items(action: &str) -> bool {
    action.ends_with("Item")
        || action.ends_with("Items")
        || matches!(action, "Query" | "Scan" | "ExecuteStatement" | "ExecuteTransaction")
}

fn is_about_sms(action: &str) -> bool {
    ["SMS", "PhoneNumber", "OriginationNumbers"].iter().any(|part| action.contains(part))
}

#[cfg(test)]
mod tests {
    use super::throttled;

    #[test]
    fn each_service_has_its_own_word() {
        let code = |service, action| throttled(service, action).1;
        assert_eq!(code("ecs", "DescribeServices"), "ThrottlingException");
        assert_eq!(code("ssm", "GetParameter"), "ThrottlingException");
        assert_eq!(code("sns", "Publish"), "Throttling");
        assert_eq!(code("sns", "SetSMSAttributes"), "Throttled");
        assert_eq!(code("sqs", "SendMessage"), "RequestThrottled");
        assert_eq!(code("s3", "GET /bucket/key"), "SlowDown");
        for action in ["PutItem", "BatchGetItem", "TransactWriteItems", "Query"] {
            assert_eq!(code("dynamodb", action), "ProvisionedThroughputExceededException", "{action}");
        }
        assert_eq!(code("dynamodb", "CreateTable"), "ThrottlingException");
    }
}
