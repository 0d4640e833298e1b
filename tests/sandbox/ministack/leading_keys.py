"""dynamodb:LeadingKeys, which ministack's evaluation of IAM does not know: a ForAllValues about it would let all pass."""

import json
import re

from ministack.services import dynamodb

EQUALS = re.compile(r"(#?\w+)\s*=\s*(:\w+)")


def leading_keys(request, partition_key_of):
    """The values of partition keys that a request names; `partition_key_of` tells a table's attribute."""
    parts = [request, *(part for item in request.get("TransactItems", []) for part in item.values())]
    values = []
    for part in parts:
        name = partition_key_of(part.get("TableName", ""))
        values.append((part.get("Key") or part.get("Item") or {}).get(name, {}))
        names = part.get("ExpressionAttributeNames", {})
        for left, right in EQUALS.findall(part.get("KeyConditionExpression", "")):
            if names.get(left, left) == name:
                values.append(part.get("ExpressionAttributeValues", {}).get(right, {}))
    return [text for value in values for text in value.values()]


def partition_key(table_name):
    """By the table's name or ARN; None if there is no such table."""
    table = dynamodb._tables.get(table_name.rsplit("/", 1)[-1]) or {}
    return next((key["AttributeName"] for key in table.get("KeySchema", []) if key["KeyType"] == "HASH"), None)


def with_leading_keys(context):
    """ministack's condition keys of a DynamoDB request, and this one."""

    def context_with_leading_keys(body):
        keys = leading_keys(json.loads(body or b"{}"), partition_key)
        return {**context(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    return context_with_leading_keys
