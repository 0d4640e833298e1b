"""Versions of secrets and their labels as Secrets Manager keeps them (its API reference: PutSecretValue, UpdateSecret,
CreateSecret), where ministack is laxer: a version is never written twice, a label is on one version at most, and a
version that lost its labels is not gone."""

import base64

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

TOKEN_CHARACTERS = (32, 64)
VALUE_BYTES = (1, 65536)
# Of these two no event tells.
UNTOLD_LABELS = ("AWSPENDING", "AWSPREVIOUS")


def lengths(request):
    """The members of a request whose length is limited: name, length, limits."""
    token, text, binary = (request.get(name) for name in ("ClientRequestToken", "SecretString", "SecretBinary"))
    if token is not None:
        yield "clientRequestToken", len(token), TOKEN_CHARACTERS
    if text is not None:
        yield "secretString", len(text.encode()), VALUE_BYTES
    if binary is not None:
        yield "secretBinary", len(base64.b64decode(binary)), VALUE_BYTES


def fault(request):
    """Code and text of what is wrong with a request, whatever is stored; None if nothing is."""
    for name, length, (least, most) in lengths(request):
        if not least <= length <= most:
            bound = f"greater than or equal to {least}" if length < least else f"less than or equal to {most}"
            text = f"Value at '{name}' failed to satisfy constraint: Member must have length {bound}"
            return "ValidationException", f"1 validation error detected: {text}"
    if None not in content(request):
        return "InvalidParameterException", "You can't specify both a binary secret value and a string secret value."
    return None


def has_value(request):
    return content(request) != (None, None)


def content(request_or_version):
    return request_or_version.get("SecretString"), request_or_version.get("SecretBinary")


def is_changeable(secret):
    """Whether ministack would not refuse to change it."""
    return secret is not None and not secret.get("DeletedDate") and not secretsmanager._is_replica(secret)


def token_in_use(secret, token):
    return error_response_json(
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
        f"{secret['ARN']}.",
        400,
    )


def answer(secret, version_id):
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version_id})


def answer_with_labels(secret, version_id):
    labels = list(secret["Versions"][version_id]["Stages"])
    names = {"ARN": secret["ARN"], "Name": secret["Name"]}
    return json_response({**names, "VersionId": version_id, "VersionStages": labels})


def move_label(secret, label, version_id):
    """Gives a version a label, and takes it off the one that has it; what was current is the previous one then."""
    holder, _ = secretsmanager._find_stage_version(secret, label)
    secretsmanager._remove_stage_everywhere(secret, label)
    secretsmanager._add_stage(secret, version_id, label)
    if label == "AWSCURRENT" and holder not in (None, version_id):
        move_label(secret, "AWSPREVIOUS", holder)
    if label not in UNTOLD_LABELS:
        secretsmanager._emit_secret_label_updated(secret, label, version_id)


def apply_current_promotion(secret, version_id):
    """In place of ministack's, which deletes the version that was the previous one: AWS keeps it for a day at least,
    and its token stays in use."""
    secretsmanager._remove_stage(secret, version_id, "AWSPENDING")
    move_label(secret, "AWSCURRENT", version_id)


def putting(put):
    """PutSecretValue. ministack's `put` makes the version, without labels."""

    def put_secret_value(request):
        if why := fault(request):
            return error_response_json(*why, 400)
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if not is_changeable(secret):
            return put(request)
        if not has_value(request):
            why = "You must provide either SecretString or SecretBinary."
            return error_response_json("InvalidRequestException", why, 400)
        token = request.get("ClientRequestToken")
        if token in secret["Versions"]:
            same = content(secret["Versions"][token]) == content(request)
            return answer_with_labels(secret, token) if same else token_in_use(secret, token)
        version_id = token or secretsmanager.new_uuid()
        put({**request, "ClientRequestToken": version_id, "VersionStages": []})
        labels = request.get("VersionStages") or ["AWSCURRENT"]
        if secretsmanager._find_stage_version(secret, "AWSCURRENT")[0] is None:
            labels = ["AWSCURRENT", *labels]
        for label in dict.fromkeys(labels):
            move_label(secret, label, version_id)
        secretsmanager._sync_replicas(secret)
        return answer_with_labels(secret, version_id)

    return put_secret_value


def updating(update, put):
    """UpdateSecret: ministack's `update` for what describes a secret, `put` for its value."""

    def update_secret(request):
        if why := fault(request):
            return error_response_json(*why, 400)
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if not is_changeable(secret) or not has_value(request):
            return update(request)
        token = request.get("ClientRequestToken")
        if token in secret["Versions"] and content(secret["Versions"][token]) != content(request):
            return token_in_use(secret, token)
        update({name: member for name, member in request.items() if name not in ("SecretString", "SecretBinary")})
        put(request)
        return answer(secret, secretsmanager._find_stage_version(secret, "AWSCURRENT")[0] if token is None else token)

    return update_secret


def creating(create):
    """CreateSecret: the first version has the token as its id, and the same request again is answered again."""

    def create_secret(request):
        if why := fault(request):
            return error_response_json(*why, 400)
        name, token = request.get("Name"), request.get("ClientRequestToken")
        secret = secretsmanager._secrets.get(name)
        if secret is not None:
            version = secret["Versions"].get(token)
            is_repeated = version is not None and is_changeable(secret) and content(version) == content(request)
            return answer(secret, token) if is_repeated else create(request)
        answered = create(request)
        secret = secretsmanager._secrets.get(name)
        if secret is None or token is None or not has_value(request):
            return answered
        [version] = secret["Versions"].values()
        secret["Versions"] = {token: version}
        return answer(secret, token)

    return create_secret
