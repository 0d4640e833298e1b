"""What needs no running ministack. Run by a test of src/ministack.rs."""

import json
import unittest

from ministack.services import ssm

import native_events


class NativeEventsTest(unittest.TestCase):
    def setUp(self):
        ssm.reset()
        self.addCleanup(ssm.reset)
        self.events = []

    def call(self, name, kind, **request):
        return native_events.telling(getattr(ssm, name), kind, self.events.append)(request)[0]

    def told(self):
        told = [native_events.envelope(event) for event in self.events]
        self.events.clear()
        return [(event["detail"]["operation"], event["detail"]["name"]) for event in told]

    def test_what_changed_is_told_once_it_has(self):
        put = {"Name": "/p", "Value": "s3cr3t", "Type": "String", "Description": "d"}
        self.call("_put_parameter", native_events.putting, **put)
        self.assertNotIn("s3cr3t", json.dumps(self.events))
        event = native_events.envelope(self.events[0])
        self.assertEqual(event["detail"], {"operation": "Create", "name": "/p", "type": "String", "description": "d"})
        self.assertTrue(event["resources"][0].endswith(":parameter/p"))
        self.assertEqual(self.told(), [("Create", "/p")])
        self.assertEqual(self.call("_put_parameter", native_events.putting, **put), 400)
        self.assertEqual(self.told(), [])
        self.call("_put_parameter", native_events.putting, **put, Overwrite=True)
        self.call("_label_parameter_version", native_events.labelling, Name="/p", Labels=["live"])
        self.call("_delete_parameters", native_events.deleting, Names=["/p", "/nowhere"])
        self.call("_delete_parameter", native_events.deleting, Name="/p")
        self.assertEqual(self.told(), [("Update", "/p"), ("LabelParameterVersion", "/p"), ("Delete", "/p")])

    def test_only_events_of_services_take_the_way_of_the_bus(self):
        ours, theirs = [], []
        dispatch = native_events.by_the_bus(lambda event, *view: theirs.append(event["Source"]), ours.append)
        common = {"EventId": "1", "DetailType": "d", "Account": "1", "Time": "t", "Region": "r", "Resources": ["a"]}
        for source in ["aws.secretsmanager", "own"]:
            dispatch({**common, "Source": source, "Detail": '{"n": 1}'}, "view")
        self.assertEqual(theirs, ["own"])
        self.assertEqual(ours, [{
            "version": "0", "id": "1", "detail-type": "d", "source": "aws.secretsmanager", "account": "1", "time": "t",
            "region": "r", "resources": ["a"], "detail": {"n": 1},
        }])
