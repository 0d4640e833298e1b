"""What needs no running ministack. Run by a test of src/ministack.rs."""

import unittest
from types import SimpleNamespace

from simulation import by_given_keys, with_given_keys


class SimulationTest(unittest.TestCase):
    def test_the_keys_of_a_simulation_are_known_while_it_is_answered(self):
        def keys(context, policies):
            return context.service_context

        evaluate = by_given_keys(keys)
        simulate = with_given_keys(lambda request: evaluate(SimpleNamespace(service_context={"a": "1"}), []), dict.get)
        entry = "ContextEntries.member.1."
        request = {entry + "ContextKeyName": "aws:ResourceTag/b", entry + "ContextKeyValues.member.1": "2"}
        self.assertEqual(simulate(request), {"a": "1", "aws:resourcetag/b": "2"})
        self.assertEqual(simulate({}), {"a": "1"})
        self.assertEqual(evaluate(SimpleNamespace(service_context={}), []), {})
