"""FIFO topics of stacks, of which ministack makes standard ones (CloudFormation's template reference, AWS::SNS::Topic)."""

from ministack.services import sns


def is_true(value):
    return str(value).lower() == "true"


def with_fifo(create):
    """Makes a topic of a stack."""

    def create_topic(logical_id, props, stack_name):
        arn, attributes = create(logical_id, props, stack_name)
        if is_true(props.get("FifoTopic")):
            by_content = str(is_true(props.get("ContentBasedDeduplication"))).lower()
            sns._topics[arn]["attributes"].update(FifoTopic="true", ContentBasedDeduplication=by_content)
        return arn, attributes

    return create_topic
