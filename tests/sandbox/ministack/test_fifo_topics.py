"""What needs no running ministack. Run by a test of src/ministack.rs."""

import unittest

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from fifo_topics import with_fifo


class FifoTopicsTest(unittest.TestCase):
    def setUp(self):
        sns.reset()
        self.addCleanup(sns.reset)

    def attributes(self, props):
        arn, _ = with_fifo(provisioners._sns_create)("Topic", props, "stack")
        return sns._topics[arn]["attributes"]

    def test_a_topic_of_a_stack_is_what_it_is_to_be(self):
        fifo = self.attributes({"TopicName": "a.fifo", "FifoTopic": "true", "ContentBasedDeduplication": False})
        self.assertEqual((fifo["FifoTopic"], fifo["ContentBasedDeduplication"]), ("true", "false"))
        self.assertNotIn("FifoTopic", self.attributes({"TopicName": "b"}))


if __name__ == "__main__":
    unittest.main()
