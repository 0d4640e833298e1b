"""The events of ministack's services go to the sandbox's event bus, whose deliveries are recorded and know disorder;
Parameter Store has events ("Monitoring Systems Manager events with Amazon EventBridge" in its user guide)."""

import json
import os
import time
import urllib.request

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import ssm

# The rest stays ministack's: PutEvents, and services that nothing here watches.
SOURCES = ("aws.s3", "aws.secretsmanager", "aws.ssm")
ANSWER_WITHIN_SECONDS = 10


def envelope(event):
    """An event as ministack keeps it, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": event["EventId"],
        "detail-type": event["DetailType"],
        "source": event["Source"],
        "account": event["Account"],
        "time": event["Time"],
        "region": event["Region"],
        "resources": event["Resources"],
        "detail": json.loads(event["Detail"]),
    }


def emit(event):
    """Answered at once: the bus only takes it in."""
    url = os.environ["AWS_ENDPOINT_URL"] + "/_sandbox/events"
    request = urllib.request.Request(url, json.dumps(event).encode(), {"content-type": "application/json"})
    # The environment's proxies are for the way out.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=ANSWER_WITHIN_SECONDS).close()


def by_the_bus(dispatch, emit=emit):
    """In place of ministack's `dispatch`, for events of the services above."""

    def dispatch_event(event, *view):
        if event["Source"] in SOURCES:
            emit(envelope(event))
        else:
            dispatch(event, *view)

    return dispatch_event


def parameter_changed(operation, parameter, dispatch):
    described = {"name": parameter["Name"], "type": parameter["Type"], "description": parameter["Description"]}
    dispatch({
        "EventId": new_uuid(),
        "Source": "aws.ssm",
        "DetailType": "Parameter Store Change",
        "Detail": json.dumps({"operation": operation, **described}),
        "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Resources": [parameter["ARN"]],
        "Account": get_account_id(),
        "Region": get_region(),
    })


def telling(call, operation_of, dispatch):
    """A call about parameters, told once it has succeeded; `operation_of` what there was before and is now says how."""

    def told(request):
        names = [request["Name"]] if "Name" in request else request.get("Names", [])
        before = {name: ssm._parameters.get(name) for name in names}
        answer = call(request)
        if answer[0] == 200:
            for name, was in before.items():
                now = ssm._parameters.get(name)
                if operation := operation_of(was, now):
                    parameter_changed(operation, now or was, dispatch)
        return answer

    return told


def putting(was, now):
    return "Update" if was else "Create"


def deleting(was, now):
    return "Delete" if was and not now else None


def labelling(was, now):
    return "LabelParameterVersion"
