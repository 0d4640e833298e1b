"""The parameter that IAM is asked about where a call names it by its ARN, or a version of it, as Systems Manager lets it."""

# In an ARN; a parameter's name has no colon.
FIELDS = 6


def parameter_of(arn):
    """ministack puts the whole of Name behind `parameter/`."""
    return ":".join(arn[arn.rindex("arn:") :].split(":")[:FIELDS])


def of_parameters(extract):
    """ministack's resource of a request, where it is not about such a parameter."""

    def resource(service, *request):
        arn = extract(service, *request)
        return parameter_of(arn) if service == "ssm" and ":parameter/" in arn else arn

    return resource
