"""What the button of the Backfill page would load, and the plan of it."""

from __future__ import annotations

from dataclasses import replace

from pages.components.common.backfills import await_plan
from pages.components.common.choice import Choice
from pages.components.common.runs import Activity
from pages.components.common.source_consent import may_be_asked, offer_to_ask
from pages.components.common.target import target
from pipeline.core.settings.settings import load_settings
from pipeline.runs.backfill import find_unfinished
from pipeline.runs.plan import Plan, Request


def to_request(choice: Choice, activity: Activity) -> Request:
    """Return what the button would load: of an unfinished run with this choice, what is left.

    Raises UsageError if the choice is invalid.
    """
    request = replace(choice.request(), target=target())
    ended = activity.ended
    if ended and ended.state in ("interrupted", "cancelled") and ended.request == request:
        return find_unfinished(ended, load_settings()) or request
    return request


def make_plan(request: Request, activity: Activity) -> Plan | None:
    """Return the plan; for an address that may not be asked yet offer to ask it, and return None.

    Raises what `await_plan` raises.
    """
    if may_be_asked(request.source):
        return await_plan(request, activity)
    offer_to_ask(request.source)
    return None
