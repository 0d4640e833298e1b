"""Starts ministack; what its CloudFormation does about AWS::ECS resources goes through the front door, and IAM knows the
partitions of DynamoDB.

Run by the interpreter of the sandbox's virtual environment, with the front door as AWS_ENDPOINT_URL.
"""

import importlib.metadata
import sys

from ministack.app import main
from ministack.core import iam_actions
from ministack.services.cloudformation import handlers, provisioners, stacks

from ecs_resources import HANDLERS, REPLACING_PROPERTIES
from ecs_service import launch_type_replaces
from leading_keys import with_leading_keys
from stack_cancelling import after_cancelling

# What is replaced below is no interface of ministack's: another version has to be read anew.
WRITTEN_FOR = "1.5.33"


def replace_handlers():
    for resource_type, acts in HANDLERS.items():
        provisioners._RESOURCE_HANDLERS[resource_type] = {**acts, "update_with_logical_id": True}
        provisioners._STACK_TAG_PROPERTY[resource_type] = ("Tags", "list")
    provisioners._REPLACING_PROPERTIES.update(REPLACING_PROPERTIES)
    # Both together are the name under which there can be but one ("Rename CLUSTER|SERVICE and update the stack again").
    provisioners._CUSTOM_NAME_REPLACEMENT["AWS::ECS::Service"] = {
        "name": ("Cluster", "ServiceName"),
        "requires_replacement": launch_type_replaces,
    }


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
    main()
