"""AWS::ECS::Service: created, updated and deleted means that it has become so."""

import time

from ministack.services.cloudformation import provisioners

from ecs_calls import ecs, failure, handler, parameters, request, retag
from ecs_properties import InvalidProperty
from ecs_rollout import Rollout, primary_deployment, rollout
from stack_cancelling import POLL_SECONDS, is_cancelled


@handler
def create(logical_id, properties, stack_name):
    name = provisioners._physical_name(stack_name, logical_id)
    service = ecs().create_service(**{"serviceName": name} | wanted_of(logical_id, properties))["service"]
    try:
        wait_until_steady(service, stack_name, "creation")
    except Exception:
        # ministack's rollback does not know of a resource whose creation failed.
        delete(service["serviceArn"], properties)
        raise
    return result(service)


@handler
def update(physical_id, old, new, stack_name, logical_id):
    if launch_type_replaces(old, new):
        return provisioners._replace_resource("AWS::ECS::Service", physical_id, old, new, stack_name, logical_id)
    wanted = wanted_of(logical_id, new)
    try:
        was = wanted_of(logical_id, old)
    except InvalidProperty:
        # This is the rollback of an update that never reached ECS.
        was = wanted
    takes = parameters("UpdateService").members
    # All that the template says: what was changed by hand, such as a desired count, is put back.
    changes = {name: value for name, value in wanted.items() if name in takes}
    # An empty list takes away (API reference of UpdateService); what else the template is silent about stays.
    changes |= {name: [] for name in was.keys() - wanted.keys() if name in takes and takes[name].type_name == "list"}
    force = new.get("ForceNewDeployment", {})
    if force != old.get("ForceNewDeployment", {}) and str(force.get("EnableForceNewDeployment")).lower() == "true":
        changes["forceNewDeployment"] = True
    service = ecs().update_service(service=physical_id, **changes)["service"]
    retag(physical_id, was, wanted)
    wait_until_steady(service, stack_name, "update")
    return result(service)


@handler
def delete(physical_id, properties):
    cluster = properties.get("Cluster", "default")
    try:
        ecs().delete_service(cluster=cluster, service=physical_id, force=True)
    except (ecs().exceptions.ServiceNotFoundException, ecs().exceptions.ClusterNotFoundException):
        return
    while (service := described(physical_id, cluster)) and service["status"] != "INACTIVE":
        time.sleep(POLL_SECONDS)


def result(service):
    return service["serviceArn"], {"ServiceArn": service["serviceArn"], "Name": service["serviceName"]}


def launch_type_replaces(old, new):
    """UpdateService can leave a launch type for capacity providers, but takes none."""
    return new.get("LaunchType") not in (None, old.get("LaunchType"))


def wanted_of(logical_id, properties):
    """The parameters of CreateService."""
    # CreateService has no such parameter.
    properties = {name: value for name, value in properties.items() if name != "ForceNewDeployment"}
    wanted = request("CreateService", logical_id, properties)
    # The type's schema has `cloudFormationSystemTags: false`; clusters and task definitions get them.
    wanted["tags"] = [tag for tag in wanted.get("tags", []) if not tag["key"].startswith("aws:")]
    return wanted


def wait_until_steady(service, stack_name, operation):
    """For as long as it takes; CloudFormation gives up after three hours."""
    deployment_id = primary_deployment(service)["id"]
    while True:
        match rollout(described(service["serviceArn"], service["clusterArn"]), deployment_id):
            case Rollout.STEADY:
                return
            case Rollout.FAILED:
                triggered = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
                raise failure(triggered, "GeneralServiceException")
            case Rollout.GONE:
                raise failure(f"{service['serviceArn']} was deleted meanwhile", "NotStabilized")
        if is_cancelled(stack_name):
            raise ValueError(f"Resource {operation} cancelled")
        time.sleep(POLL_SECONDS)


def described(service, cluster):
    try:
        services = ecs().describe_services(cluster=cluster, services=[service])["services"]
    except ecs().exceptions.ClusterNotFoundException:
        return None
    return services[0] if services else None
