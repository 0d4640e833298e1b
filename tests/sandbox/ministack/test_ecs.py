"""What needs no ministack. Run by a test of src/ministack.rs."""

import unittest

import botocore.session

from ecs_properties import InvalidProperty, to_api
from ecs_rollout import Rollout, rollout

MODEL = botocore.session.Session().get_service_model("ecs")


def deployment(id, status="PRIMARY", state="COMPLETED"):
    return {"id": id, "status": status, "rolloutState": state}


def service(*deployments, running=2, desired=2, status="ACTIVE"):
    return {"status": status, "deployments": list(deployments), "runningCount": running, "desiredCount": desired}


class RolloutTest(unittest.TestCase):
    def test_what_a_service_looks_like_and_how_far_the_deployment_new_has_come(self):
        old = deployment("old", "ACTIVE")
        for looks, expected in [
            (service(deployment("new")), Rollout.STEADY),
            (service(deployment("new"), running=0, desired=0), Rollout.STEADY),
            (service(deployment("new", state="IN_PROGRESS")), Rollout.GOES_ON),
            (service(deployment("new", state="IN_PROGRESS"), old), Rollout.GOES_ON),
            (service(deployment("new"), old), Rollout.GOES_ON),
            (service(deployment("new"), running=1), Rollout.GOES_ON),
            (service(deployment("new"), running=3), Rollout.GOES_ON),
            (service(deployment("new", state="FAILED"), old), Rollout.FAILED),
            (service(deployment("new", state="FAILED")), Rollout.FAILED),
            # ECS rolls back, and has rolled back.
            (service(deployment("back", state="IN_PROGRESS"), deployment("new", "ACTIVE", "FAILED")), Rollout.FAILED),
            (service(deployment("back")), Rollout.FAILED),
            (service(status="DRAINING"), Rollout.GONE),
            (service(status="INACTIVE"), Rollout.GONE),
            (None, Rollout.GONE),
        ]:
            with self.subTest(looks):
                self.assertEqual(rollout(looks, "new"), expected)


class PropertiesTest(unittest.TestCase):
    def convert(self, operation, properties):
        return to_api(properties, MODEL.operation_model(operation).input_shape)

    def test_names_follow_the_api_even_where_they_differ(self):
        for operation, properties, expected in [
            (
                "CreateCluster",
                {"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]},
                {"settings": [{"name": "containerInsights", "value": "enabled"}]},
            ),
            (
                "CreateService",
                {"PlacementStrategies": [{"Type": "spread"}]},
                {"placementStrategy": [{"type": "spread"}]},
            ),
            ("CreateService", {"EnableECSManagedTags": "True"}, {"enableECSManagedTags": True}),
            ("CreateService", {"LoadBalancers": [{"ContainerPort": "80"}]}, {"loadBalancers": [{"containerPort": 80}]}),
            (
                "RegisterTaskDefinition",
                {"Volumes": [{"EFSVolumeConfiguration": {"FilesystemId": "fs-1"}}]},
                {"volumes": [{"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
            ),
            (
                "RegisterTaskDefinition",
                {"ProxyConfiguration": {"ProxyConfigurationProperties": [{"Name": "n"}]}},
                {"proxyConfiguration": {"properties": [{"name": "n"}]}},
            ),
        ]:
            with self.subTest(properties):
                self.assertEqual(self.convert(operation, properties), expected)

    def test_what_the_api_does_not_have_is_named(self):
        for properties, expected in [
            ({"Fammily": "f"}, "#: extraneous key [Fammily] is not permitted"),
            ({"family": "f"}, "#: extraneous key [family] is not permitted"),
            (
                {"ContainerDefinitions": [{}, {"Name": "a", "Colour": 1}]},
                "#/ContainerDefinitions/1: extraneous key [Colour] is not permitted",
            ),
            ({"ContainerDefinitions": {}}, "#/ContainerDefinitions: expected type: JSONArray, found: JSONObject"),
            (
                {"ContainerDefinitions": [{"Cpu": "many"}]},
                "#/ContainerDefinitions/0/Cpu: expected type: Integer, found: String",
            ),
            ({"EnableFaultInjection": "maybe"}, "#/EnableFaultInjection: expected type: Boolean, found: String"),
            ({"Family": ["f"]}, "#/Family: expected type: String, found: JSONArray"),
        ]:
            with self.subTest(properties), self.assertRaises(InvalidProperty) as refused:
                self.convert("RegisterTaskDefinition", properties)
            self.assertEqual(str(refused.exception), expected)


if __name__ == "__main__":
    unittest.main()
