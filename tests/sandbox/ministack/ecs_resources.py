"""What CloudFormation does about each type of AWS::ECS resources.

The handlers have the signatures of ministack's own; they return a resource's Ref and what Fn::GetAtt knows of it.
"""

import time

from ministack.services.cloudformation import provisioners

import ecs_service
from ecs_calls import ecs, handler, parameters, request, retag
from stack_cancelling import POLL_SECONDS

# `createOnlyProperties` of the types' schemas in the CloudFormation registry.
REPLACING_PROPERTIES = {
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::TaskDefinition": (
        *("ContainerDefinitions", "Cpu", "EnableFaultInjection", "EphemeralStorage", "ExecutionRoleArn", "Family"),
        *("InferenceAccelerators", "IpcMode", "Memory", "NetworkMode", "PidMode", "PlacementConstraints"),
        *("ProxyConfiguration", "RequiresCompatibilities", "RuntimePlatform", "TaskRoleArn", "Volumes"),
    ),
    "AWS::ECS::Service": ("Cluster", "Role", "SchedulingStrategy", "ServiceName"),
}


@handler
def create_cluster(logical_id, properties, stack_name):
    name = provisioners._physical_name(stack_name, logical_id)
    wanted = {"clusterName": name} | request("CreateCluster", logical_id, properties)
    return cluster_result(ecs().create_cluster(**wanted)["cluster"])


@handler
def update_cluster(physical_id, old, new, stack_name, logical_id):
    was, wanted = request("CreateCluster", logical_id, old), request("CreateCluster", logical_id, new)
    settings = {name: wanted[name] for name in parameters("UpdateCluster").members if name in wanted}
    cluster = ecs().update_cluster(cluster=physical_id, **settings)["cluster"]
    # PutClusterCapacityProviders wants both.
    providers = {name: wanted.get(name, []) for name in ("capacityProviders", "defaultCapacityProviderStrategy")}
    if any(providers[name] != was.get(name, []) for name in providers):
        ecs().put_cluster_capacity_providers(cluster=physical_id, **providers)
    retag(cluster["clusterArn"], was, wanted)
    return cluster_result(cluster)


@handler
def delete_cluster(physical_id, properties):
    while True:
        try:
            return ecs().delete_cluster(cluster=physical_id)
        except ecs().exceptions.ClusterNotFoundException:
            return None
        except ecs().exceptions.ClusterContainsTasksException:
            # A service is INACTIVE while its tasks still stop, so tasks of this stack may be on their way out.
            if ecs().list_tasks(cluster=physical_id)["taskArns"]:
                raise
        time.sleep(POLL_SECONDS)


def cluster_result(cluster):
    return cluster["clusterName"], {"Arn": cluster["clusterArn"]}


@handler
def create_task_definition(logical_id, properties, stack_name):
    wanted = {"family": f"{stack_name}-{logical_id}"} | request("RegisterTaskDefinition", logical_id, properties)
    return task_definition_result(ecs().register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"])


@handler
def update_task_definition(physical_id, old, new, stack_name, logical_id):
    was, wanted = (request("RegisterTaskDefinition", logical_id, properties) for properties in (old, new))
    retag(physical_id, was, wanted)
    return task_definition_result(physical_id)


@handler
def delete_task_definition(physical_id, properties):
    ecs().deregister_task_definition(taskDefinition=physical_id)


def task_definition_result(arn):
    return arn, {"TaskDefinitionArn": arn}


HANDLERS = {
    "AWS::ECS::Cluster": {"create": create_cluster, "update": update_cluster, "delete": delete_cluster},
    "AWS::ECS::TaskDefinition": {
        "create": create_task_definition,
        "update": update_task_definition,
        "delete": delete_task_definition,
    },
    "AWS::ECS::Service": {
        "create": ecs_service.create,
        "update": ecs_service.update,
        "delete": ecs_service.delete,
    },
}
