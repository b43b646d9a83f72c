"""Charts of what is loaded: filters, the statement behind each chart, and what it is asked of.

    filters = Filters(colors=(Color.GREEN,), first=date(2020, 4, 1), last=date(2020, 4, 30))
    question = pose("over_time", filters, "local", grain="day")
    answer = warehouse.read(question.sql, question.parameters)

The statements are in sql/charts, written in GoogleSQL for both warehouses. Each is asked of the
sums that every load writes where these can answer it, and of the trips where they cannot.
"""

from pipeline.charts.catalog import CHARTS, Chart
from pipeline.charts.filters import NOT_RECORDED, PAYMENTS, Filters, payment_name
from pipeline.charts.questions import GRAINS, TRIPS, Question, Shared, pose, steps
from pipeline.charts.shared import ask_shared, gather

__all__ = [
    "CHARTS",
    "GRAINS",
    "NOT_RECORDED",
    "PAYMENTS",
    "TRIPS",
    "Chart",
    "Filters",
    "Question",
    "Shared",
    "ask_shared",
    "gather",
    "payment_name",
    "pose",
    "steps",
]
