"""What Parameter Store refuses and ministack takes (Systems Manager API reference, PutParameter; its user guide,
"Managing parameter tiers")."""

from ministack.core.responses import error_response_json
from ministack.services import ssm

LARGEST_VALUE_BYTES = {"Standard": 4096, "Advanced": 8192}


def tier_of(request, size, was):
    """The tier that a parameter gets, which may be the one it has; None if it may not have it."""
    asked = request.get("Tier")
    if asked == "Intelligent-Tiering":
        needs_more = size > LARGEST_VALUE_BYTES["Standard"] or bool(request.get("Policies"))
        return "Advanced" if needs_more or was == "Advanced" else "Standard"
    if asked == "Standard" and was == "Advanced":
        return None
    return asked


def fault(size, tier):
    """What is wrong with a value of this size, in words; None if nothing is."""
    if size == 0:
        return "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length " \
               "greater than or equal to 1"
    most = LARGEST_VALUE_BYTES.get(tier)
    if most is None or size <= most:
        return None
    text = f"{tier} tier parameters support a maximum parameter value of {most} characters."
    if tier == "Standard":
        text += " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
    return text


def with_limits(put):
    """PutParameter."""

    def put_parameter(request):
        existing = ssm._parameters.get(request.get("Name"))
        # Whether it may be overwritten at all is ministack's to say.
        if existing is not None and not request.get("Overwrite"):
            return put(request)
        value, was = request.get("Value", ""), (existing or {}).get("Tier")
        size = len(value.encode())
        tier = tier_of(request, size, was)
        if tier is None and request.get("Tier"):
            why = "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the " \
                  "advanced-parameter tier to the standard-parameter tier."
            return error_response_json("ValidationException", why, 400)
        if why := fault(size, tier or ssm._default_tier(request, value, existing)):
            return error_response_json("ValidationException", why, 400)
        return put({**request, "Tier": tier} if tier else request)

    return put_parameter


def of_existing(tags):
    """A call about the tags of a parameter, which must be there."""

    def tags_of_existing(request):
        is_parameter = request.get("ResourceType", "Parameter") == "Parameter"
        if is_parameter and ssm._lookup_parameter(request.get("ResourceId"), flexible_name=True)[1] is None:
            why = "The resource ID isn't valid. Verify that you entered the correct ID and try again."
            return error_response_json("InvalidResourceId", why, 400)
        return tags(request)

    return tags_of_existing
