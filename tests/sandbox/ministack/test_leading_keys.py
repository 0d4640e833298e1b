"""What needs no running ministack. Run by a test of src/ministack.rs."""

import unittest

from leading_keys import leading_keys


class LeadingKeysTest(unittest.TestCase):
    def test_the_partitions_that_a_request_names(self):
        one, two = {"pk": {"S": "one"}, "sk": {"S": "x"}}, {"pk": {"S": "two"}, "sk": {"S": "x"}}
        values = {":pk": {"S": "one"}, ":sk": {"S": "two"}}
        for request, expected in [
            ({"Key": one}, ["one"]),
            ({"Item": {**one, "other": {"S": "two"}}}, ["one"]),
            ({"KeyConditionExpression": "pk = :pk AND sk = :sk", "ExpressionAttributeValues": values}, ["one"]),
            (
                {
                    "KeyConditionExpression": "begins_with(sk, :sk) AND #p=:pk",
                    "ExpressionAttributeNames": {"#p": "pk"},
                    "ExpressionAttributeValues": values,
                },
                ["one"],
            ),
            ({"TransactItems": [{"Put": {"TableName": "t", "Item": one}}, {"Delete": {"Key": two}}]}, ["one", "two"]),
            ({"FilterExpression": "pk = :pk", "ExpressionAttributeValues": values}, []),
            ({}, []),
        ]:
            with self.subTest(request):
                self.assertEqual(leading_keys(request, lambda table: "pk"), expected)
