"""Starts ministack; what its CloudFormation does about AWS::ECS resources goes through the front door, IAM knows the
partitions of DynamoDB, secrets and parameters are as strict as those of AWS, what they tell goes to the event bus, and
topics are FIFO where a stack says so.

Run by the interpreter of the sandbox's virtual environment, with the front door as AWS_ENDPOINT_URL.
"""

import importlib.metadata
import sys

from ministack.app import main
from ministack.core import iam_actions, iam_evaluator
from ministack.services import eventbridge, iam, secretsmanager, ssm
from ministack.services.cloudformation import handlers, provisioners, stacks

import native_events
import parameter_limits
import secret_versions
from ecs_resources import HANDLERS, REPLACING_PROPERTIES
from ecs_service import launch_type_replaces
from fifo_topics import with_fifo
from leading_keys import with_leading_keys
from parameter_arns import of_parameters
from simulation import by_given_keys, with_given_keys
from stack_cancelling import after_cancelling

# What is replaced below is no interface of ministack's: another version has to be read anew.
WRITTEN_FOR = "1.5.33"


def replace_handlers():
    for resource_type, acts in HANDLERS.items():
        provisioners._RESOURCE_HANDLERS[resource_type] = {**acts, "update_with_logical_id": True}
        provisioners._STACK_TAG_PROPERTY[resource_type] = ("Tags", "list")
    provisioners._REPLACING_PROPERTIES.update(REPLACING_PROPERTIES)
    topics = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    topics["create"] = with_fifo(topics["create"])
    # Both together are the name under which there can be but one ("Rename CLUSTER|SERVICE and update the stack again").
    provisioners._CUSTOM_NAME_REPLACEMENT["AWS::ECS::Service"] = {
        "name": ("Cluster", "ServiceName"),
        "requires_replacement": launch_type_replaces,
    }


def make_secrets_and_parameters_strict():
    secretsmanager._apply_current_promotion = secret_versions.apply_current_promotion
    secretsmanager._create_secret = secret_versions.creating(secretsmanager._create_secret)
    secretsmanager._put_secret_value = secret_versions.putting(secretsmanager._put_secret_value)
    put = secretsmanager._put_secret_value
    secretsmanager._update_secret = secret_versions.updating(secretsmanager._update_secret, put)
    ssm._put_parameter = parameter_limits.with_limits(ssm._put_parameter)
    for name in ["_add_tags_to_resource", "_remove_tags_from_resource", "_list_tags_for_resource"]:
        setattr(ssm, name, parameter_limits.of_existing(getattr(ssm, name)))


def tell_the_bus():
    eventbridge._dispatch_event = native_events.by_the_bus(eventbridge._dispatch_event)
    for name, operation_of in [
        ("_put_parameter", native_events.putting),
        ("_label_parameter_version", native_events.labelling),
        ("_delete_parameter", native_events.deleting),
        ("_delete_parameters", native_events.deleting),
    ]:
        setattr(ssm, name, native_events.telling(getattr(ssm, name), operation_of, eventbridge._dispatch_event))


def also_for(types, others):
    return lambda resource_type: resource_type in types or others(resource_type)


if __name__ == "__main__":
    installed = importlib.metadata.version("ministack")
    if installed != WRITTEN_FOR:
        sys.exit(f"{__file__} replaces parts of ministack {WRITTEN_FOR}, but {installed} is installed")
    replace_handlers()
    # They call ministack and wait, which must not be done on its event loop.
    stacks._runs_on_worker_thread = also_for(HANDLERS, stacks._runs_on_worker_thread)
    # A service whose update failed wants the new definition already: a rollback has to update it again.
    stacks._sends_back_failed_update = also_for(["AWS::ECS::Service"], stacks._sends_back_failed_update)
    handlers._delete_stack_async = after_cancelling(handlers._delete_stack_async)
    iam_actions.dynamodb_service_context = with_leading_keys(iam_actions.dynamodb_service_context)
    iam_actions.extract_resource_arn = of_parameters(iam_actions.extract_resource_arn)
    iam_evaluator.evaluate = by_given_keys(iam_evaluator.evaluate)
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = with_given_keys(iam._simulate_principal_policy, iam._p)
    make_secrets_and_parameters_strict()
    tell_the_bus()
    main()
