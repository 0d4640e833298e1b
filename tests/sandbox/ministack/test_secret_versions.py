"""What needs no running ministack. Run by a test of src/ministack.rs."""

import base64
import json
import unittest
from unittest import mock

from ministack.services import secretsmanager

import secret_versions

ONE, TWO, THREE, FOUR = (digit * 32 for digit in "1234")


class SecretVersionsTest(unittest.TestCase):
    def setUp(self):
        secretsmanager.reset()
        self.addCleanup(secretsmanager.reset)
        self.told = []
        told = mock.patch.object(
            secretsmanager, "_emit_secret_label_updated", lambda _, label, version: self.told.append((label, version))
        )
        promotion = mock.patch.object(
            secretsmanager, "_apply_current_promotion", secret_versions.apply_current_promotion
        )
        for replaced in (told, promotion):
            replaced.start()
            self.addCleanup(replaced.stop)
        self.create = secret_versions.creating(secretsmanager._create_secret)
        self.put = secret_versions.putting(secretsmanager._put_secret_value)
        self.update = secret_versions.updating(secretsmanager._update_secret, self.put)

    def call(self, operation, **request):
        status, _, body = operation(request)
        body = json.loads(body)
        return body if status == 200 else body["__type"].split("#")[-1]

    def labels(self):
        return self.call(secretsmanager._describe_secret, SecretId="s")["VersionIdsToStages"]

    def value(self, version):
        return self.call(secretsmanager._get_secret_value, SecretId="s", VersionId=version)["SecretString"]

    def made(self):
        self.call(self.create, Name="s", SecretString="one", ClientRequestToken=ONE)
        return {"SecretId": "s"}

    def test_a_token_is_the_version_and_the_same_request_does_nothing(self):
        secret = self.made()
        put = {**secret, "SecretString": "two", "ClientRequestToken": TWO}
        first = self.call(self.put, **put)
        self.assertEqual((first["VersionId"], first["VersionStages"]), (TWO, ["AWSCURRENT"]))
        self.call(self.put, **{**put, "SecretString": "three", "ClientRequestToken": THREE})
        labels, told = self.labels(), list(self.told)
        self.assertEqual(labels, {TWO: ["AWSPREVIOUS"], THREE: ["AWSCURRENT"]})
        self.assertEqual(self.call(self.put, **put)["VersionStages"], ["AWSPREVIOUS"])
        self.assertEqual(self.call(self.put, **put, VersionStages=["AWSPENDING"])["VersionStages"], ["AWSPREVIOUS"])
        self.assertEqual((self.labels(), self.told), (labels, told))
        again = {**secret, "SecretString": "one", "ClientRequestToken": ONE}
        self.assertEqual(self.call(self.put, **again)["VersionId"], ONE, "a version without labels has its token still")
        self.assertEqual((self.labels(), self.told), (labels, told))

    def test_other_content_under_a_used_token_is_refused_and_changes_nothing(self):
        secret = self.made()
        self.call(self.put, **secret, SecretString="two", ClientRequestToken=TWO)
        labels, told = self.labels(), list(self.told)
        for operation in (self.put, self.update):
            for value in ({"SecretString": "other"}, {"SecretBinary": base64.b64encode(b"two").decode()}):
                refused = self.call(operation, **secret, **value, ClientRequestToken=TWO, Description="d")
                self.assertEqual(refused, "ResourceExistsException")
        refused = self.call(self.create, Name="s", SecretString="x", ClientRequestToken=ONE)
        self.assertEqual(refused, "ResourceExistsException")
        self.assertEqual((self.labels(), self.told, self.value(TWO)), (labels, told, "two"))
        self.assertEqual(self.call(secretsmanager._describe_secret, **secret)["Description"], "")

    def test_a_label_is_on_one_version(self):
        secret = self.made()
        for token in (TWO, THREE):
            self.call(self.put, **secret, SecretString=token, ClientRequestToken=token, VersionStages=["AWSPENDING"])
        self.assertEqual(self.labels(), {ONE: ["AWSCURRENT"], THREE: ["AWSPENDING"]})
        self.assertEqual(self.value(TWO), TWO, "what has no label is not gone")
        self.assertEqual(self.told, [])
        both = {"ClientRequestToken": FOUR, "VersionStages": ["AWSCURRENT", "BLUE", "AWSPENDING"]}
        self.call(self.put, **secret, SecretString="four", **both)
        self.assertEqual(self.labels(), {ONE: ["AWSPREVIOUS"], FOUR: ["AWSCURRENT", "BLUE", "AWSPENDING"]})
        self.assertEqual(self.told, [("AWSCURRENT", FOUR), ("BLUE", FOUR)])

    def test_an_update_is_a_put_and_tells_once(self):
        secret = self.made()
        answer = self.call(self.update, **secret, SecretString="two", ClientRequestToken=TWO, Description="d")
        self.assertEqual(answer["VersionId"], TWO)
        self.assertEqual(self.labels(), {ONE: ["AWSPREVIOUS"], TWO: ["AWSCURRENT"]})
        self.assertEqual(self.told, [("AWSCURRENT", TWO)])
        self.call(self.update, **secret, Description="e")
        self.assertEqual(self.call(secretsmanager._describe_secret, **secret)["Description"], "e")
        self.assertEqual(self.told, [("AWSCURRENT", TWO)])

    def test_a_secret_is_created_once(self):
        request = {"Name": "s", "SecretString": "one", "ClientRequestToken": ONE}
        first = self.call(self.create, **request)
        self.assertEqual(first["VersionId"], ONE)
        self.assertEqual(self.call(self.create, **request), first)
        self.assertEqual(self.call(self.create, Name="s", SecretString="one"), "ResourceExistsException")

    def test_lengths(self):
        secret = self.made()
        fits = "ü" * 32768
        longest = "t" * 64
        put = self.call(self.put, **secret, SecretString=fits, ClientRequestToken=longest)
        self.assertEqual(put["VersionId"], longest)
        for request in [
            {"SecretString": fits + "x"},
            {"SecretString": ""},
            {"SecretBinary": base64.b64encode(b"x" * 65537).decode()},
            {"SecretString": "x", "ClientRequestToken": "t" * 31},
            {"SecretString": "x", "ClientRequestToken": "t" * 65},
        ]:
            for operation in (self.put, self.update):
                self.assertEqual(self.call(operation, **secret, **request), "ValidationException")
            self.assertEqual(self.call(self.create, Name="other", **request), "ValidationException")
        both = {"SecretString": "x", "SecretBinary": "eA=="}
        self.assertEqual(self.call(self.put, **secret, **both), "InvalidParameterException")
        self.assertEqual(self.call(self.put, **secret), "InvalidRequestException")
        self.assertEqual(self.call(self.put, SecretId="other", SecretString="x"), "ResourceNotFoundException")
