"""What needs no running ministack. Run by a test of src/ministack.rs."""

import json
import unittest

from ministack.services import ssm

from parameter_limits import of_existing, with_limits


class ParameterLimitsTest(unittest.TestCase):
    def setUp(self):
        ssm.reset()
        self.addCleanup(ssm.reset)

    def call(self, operation, **request):
        status, _, body = operation(request)
        body = json.loads(body)
        return body if status == 200 else body["__type"].split("#")[-1]

    def put(self, **request):
        answer = self.call(with_limits(ssm._put_parameter), **{"Name": "/p", "Type": "String", **request})
        return answer if isinstance(answer, str) else (answer["Version"], answer["Tier"])

    def test_a_tier_has_its_largest_value(self):
        standard, advanced = "ü" * 2048, "ü" * 4096
        self.assertEqual(self.put(Value=standard), (1, "Standard"))
        self.assertEqual(self.put(Value=standard + "x", Overwrite=True), "ValidationException")
        self.assertEqual(self.put(Value="", Overwrite=True), "ValidationException")
        self.assertEqual(self.put(Value="x"), "ParameterAlreadyExists")
        self.assertEqual(self.put(Value=standard + "x", Overwrite=True, Tier="Advanced"), (2, "Advanced"))
        self.assertEqual(self.put(Value=advanced, Overwrite=True), (3, "Advanced"), "it stays what it is")
        self.assertEqual(self.put(Value=advanced + "x", Overwrite=True), "ValidationException")
        self.assertEqual(self.put(Value="x", Overwrite=True, Tier="Standard"), "ValidationException")
        self.assertEqual(self.put(Value="x", Overwrite=True, Tier="Intelligent-Tiering"), (4, "Advanced"))
        for name, value, tier in [("/small", standard, "Standard"), ("/large", advanced, "Advanced")]:
            self.assertEqual(self.put(Name=name, Value=value, Tier="Intelligent-Tiering"), (1, tier))

    def test_what_is_not_there_has_no_tags(self):
        self.put(Value="x", Tags=[{"Key": "k", "Value": "v"}])
        tags = of_existing(ssm._list_tags_for_resource)
        listed = self.call(tags, ResourceType="Parameter", ResourceId="/p")
        self.assertEqual(listed, {"TagList": [{"Key": "k", "Value": "v"}]})
        self.assertEqual(self.call(tags, ResourceType="Parameter", ResourceId="/q"), "InvalidResourceId")
