"""Ending what goes on with a stack, which ministack does between two resources only."""

import asyncio

from ministack.services.cloudformation import _stacks

POLL_SECONDS = 0.1

# Set on ministack's record of a stack while DeleteStack waits for the end of what goes on.
DELETE_REQUESTED = "_sandbox_delete_requested"


def is_cancelled(stack_name):
    """By DeleteStack or CancelUpdateStack, also of a stack that this one is nested in."""
    while stack_name:
        stack = _stacks.get(stack_name)
        if stack is None or stack.get(DELETE_REQUESTED):
            return True
        # ministack leaves its mark there during the rollback, which cannot be cancelled.
        if stack.get("_cancel_requested") and stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            return True
        stack_name = stack.get("_parent_stack_name")
    return False


def after_cancelling(delete):
    """ministack's `delete` of a stack, once nothing else goes on with it: CloudFormation cancels that first."""

    async def cancel_and_delete(stack_name, *arguments, **options):
        stack = _stacks[stack_name]
        if stack["StackStatus"] == "DELETE_IN_PROGRESS" or stack.get(DELETE_REQUESTED):
            return
        stack[DELETE_REQUESTED] = True
        while stack["StackStatus"].endswith("_IN_PROGRESS"):
            await asyncio.sleep(POLL_SECONDS)
        del stack[DELETE_REQUESTED]
        await delete(stack_name, *arguments, **options)

    return cancel_and_delete
