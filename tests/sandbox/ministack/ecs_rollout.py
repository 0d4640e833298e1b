"""How far a service is from what CloudFormation asked of it, by what DescribeServices says."""

import enum


class Rollout(enum.Enum):
    GOES_ON = enum.auto()
    STEADY = enum.auto()
    # The circuit breaker ended it.
    FAILED = enum.auto()
    # The service was deleted meanwhile.
    GONE = enum.auto()


def rollout(service, deployment_id):
    """`deployment_id` is the PRIMARY deployment of the answer to the create or update that is waited for."""
    if service is None or service["status"] != "ACTIVE":
        return Rollout.GONE
    primary = primary_deployment(service)
    # In a rollback the deployment that was completed last is PRIMARY again.
    if primary["id"] != deployment_id or primary["rolloutState"] == "FAILED":
        return Rollout.FAILED
    is_steady = (
        len(service["deployments"]) == 1
        and primary["rolloutState"] == "COMPLETED"
        and service["runningCount"] == service["desiredCount"]
    )
    return Rollout.STEADY if is_steady else Rollout.GOES_ON


def primary_deployment(service):
    return next(one for one in service["deployments"] if one["status"] == "PRIMARY")
