"""CloudFormation's properties as the ECS API's parameters, by botocore's model of the API."""

# Where CloudFormation's name is not the API's with a capital: (shape, member) of the API, and the name in the template
# reference of the AWS::ECS types.
RENAMED = {
    ("CreateClusterRequest", "settings"): "ClusterSettings",
    ("CreateServiceRequest", "placementStrategy"): "PlacementStrategies",
    ("ProxyConfiguration", "properties"): "ProxyConfigurationProperties",
    ("Volume", "efsVolumeConfiguration"): "EFSVolumeConfiguration",
    ("Volume", "fsxWindowsFileServerVolumeConfiguration"): "FSxWindowsFileServerVolumeConfiguration",
    ("Volume", "s3filesVolumeConfiguration"): "S3FilesVolumeConfiguration",
    ("EFSVolumeConfiguration", "fileSystemId"): "FilesystemId",
    ("EFSAuthorizationConfig", "iam"): "IAM",
}


# JSON's types as CloudFormation calls them.
TYPES = {str: "String", bool: "Boolean", int: "Integer", float: "Number", list: "JSONArray", dict: "JSONObject"}


class InvalidProperty(ValueError):
    """In the words of CloudFormation's validation against a type's schema."""


def to_api(value, shape, path="#"):
    """`value` of a template as `shape` of the API wants it. A template may write numbers and booleans as text."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return structure(value, shape, path)
        case "list":
            return [
                to_api(one, shape.member, f"{path}/{index}") for index, one in enumerate(of_type(value, list, path))
            ]
        case "map":
            return {key: to_api(one, shape.value, f"{path}/{key}") for key, one in of_type(value, dict, path).items()}
        case "string":
            scalar = isinstance(value, (int, float))
            return str(value).lower() if scalar else of_type(value, str, path)
        case "boolean":
            return of_type({"true": True, "false": False}.get(str(value).lower(), value), bool, path)
        case "integer" | "long":
            return of_type(parsed(value, int), int, path)
        case "double" | "float":
            return of_type(parsed(value, float), float, path)
    return value


def structure(value, shape, path):
    names = {RENAMED.get((shape.name, member), member[0].upper() + member[1:]): member for member in shape.members}
    converted = {}
    for name, one in of_type(value, dict, path).items():
        if name not in names:
            raise InvalidProperty(f"{path}: extraneous key [{name}] is not permitted")
        converted[names[name]] = to_api(one, shape.members[names[name]], f"{path}/{name}")
    return converted


def parsed(value, number):
    try:
        return number(value)
    except (TypeError, ValueError):
        return value


def of_type(value, wanted, path):
    if not isinstance(value, wanted):
        found = TYPES.get(type(value), type(value).__name__)
        raise InvalidProperty(f"{path}: expected type: {TYPES[wanted]}, found: {found}")
    return value
