"""What needs no running ministack. Run by a test of src/ministack.rs."""

import unittest

from parameter_arns import of_parameters

PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/formae/config"


class ParameterArnsTest(unittest.TestCase):
    def test_each_way_to_name_a_parameter_is_about_the_same_one(self):
        behind = "arn:aws:ssm:eu-west-1:123456789012:parameter/"
        for extracted in [PARAMETER, PARAMETER + ":3", behind + PARAMETER, behind + PARAMETER + ":3"]:
            with self.subTest(extracted):
                self.assertEqual(of_parameters(lambda service: extracted)("ssm"), PARAMETER)
        for service, extracted in [("ssm", "*"), ("s3", behind + PARAMETER)]:
            with self.subTest(service):
                self.assertEqual(of_parameters(lambda service: extracted)(service), extracted)
