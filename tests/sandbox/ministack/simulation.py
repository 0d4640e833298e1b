"""iam:SimulatePrincipalPolicy with the condition keys that it is given (ContextEntries), which ministack's leaves out."""

from contextvars import ContextVar
from itertools import count

# Those of the simulation that is being answered.
GIVEN = ContextVar("GIVEN", default={})


def given_keys(parameter):
    """By name; `parameter` tells a request's parameter, or nothing."""
    keys = {}
    for n in count(1):
        name = parameter(f"ContextEntries.member.{n}.ContextKeyName")
        if not name:
            return keys
        keys[name.lower()] = parameter(f"ContextEntries.member.{n}.ContextKeyValues.member.1")


def with_given_keys(simulate, parameter):
    """ministack's answer to a simulation, by these keys, too."""

    def simulate_with_given_keys(request):
        token = GIVEN.set(given_keys(lambda name: parameter(request, name)))
        try:
            return simulate(request)
        finally:
            GIVEN.reset(token)

    return simulate_with_given_keys


def by_given_keys(evaluate):
    """ministack's evaluation of policies, by these keys, too."""

    def evaluate_by_given_keys(context, policies, *limits):
        context.service_context = {**context.service_context, **GIVEN.get()}
        return evaluate(context, policies, *limits)

    return evaluate_by_given_keys
