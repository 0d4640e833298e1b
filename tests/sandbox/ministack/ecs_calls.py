"""Calls of the ECS API in CloudFormation's name, and what becomes of a refusal."""

import functools
import os
import uuid

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from ecs_properties import InvalidProperty, to_api


@functools.cache
def ecs():
    return botocore.session.Session().create_client(
        "ecs",
        region_name=os.environ["MINISTACK_REGION"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(user_agent_appid="cloudformation"),
    )


def parameters(operation):
    """The shape of what the operation takes."""
    return ecs().meta.service_model.operation_model(operation).input_shape


def request(operation, logical_id, properties):
    """A template's properties as the operation takes them."""
    try:
        return to_api(properties, parameters(operation))
    except InvalidProperty as error:
        raise InvalidProperty(
            f"Properties validation failed for resource {logical_id} with message:\n{error}"
        ) from error


def failure(message, code):
    """What failed in the sight of a resource's handler, as the events of a stack show it."""
    token = uuid.uuid4()
    return ValueError(
        f'Resource handler returned message: "{message}" (RequestToken: {token}, HandlerErrorCode: {code})'
    )


def handler(act):
    """Makes ECS's refusal the resource's failure."""

    @functools.wraps(act)
    def acting(*arguments):
        try:
            return act(*arguments)
        except ParamValidationError as error:
            raise failure(error, "InvalidRequest") from error
        except ClientError as error:
            refusal, answer = error.response["Error"], error.response["ResponseMetadata"]
            source = (
                f"Service: AmazonECS; Status Code: {answer['HTTPStatusCode']}; Error Code: {refusal['Code']}; "
                f"Request ID: {answer.get('RequestId')}"
            )
            raise failure(f"{refusal['Message']} ({source})", "InvalidRequest") from error

    return acting


def retag(arn, was, wanted):
    """Changes the tags that the template changed; others stay."""
    was, wanted = ({tag["key"]: tag.get("value", "") for tag in one.get("tags", [])} for one in (was, wanted))
    if gone := [key for key in was if key not in wanted]:
        ecs().untag_resource(resourceArn=arn, tagKeys=gone)
    if changed := [{"key": key, "value": value} for key, value in wanted.items() if was.get(key) != value]:
        ecs().tag_resource(resourceArn=arn, tags=changed)
