"""Registers the triggers, nothing else. What they do lies in ``cmg_core``: begin with ``cmg_core/plan.py``."""

import azure.functions as func

from cmg_core.ledger.queues import NOTIFY, queue_name
from cmg_core.plan import STEPS
from cmg_core.settings import keys_count
from cmg_core.triggers.answering import answering
from cmg_core.triggers.callbacks import notifying
from cmg_core.triggers.http import ROUTES
from cmg_core.triggers.masking import mask_logs
from cmg_core.triggers.queues import running
from cmg_core.triggers.timers import EACH_MINUTE, waking
from cmg_core.wiring import services

mask_logs()

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

host_checks = keys_count()
for route in ROUTES:
    level = route.level if host_checks else func.AuthLevel.ANONYMOUS  # then the app takes signed-in callers only
    at_route = app.route(route=route.path, methods=[route.method], auth_level=level)
    app.function_name(route.name)(at_route(answering(route, services)))

for step in STEPS:
    from_queue = app.queue_trigger(arg_name="message", queue_name=queue_name(step.name), connection="CmgStorage")
    app.function_name(step.name)(from_queue(running(step.name, services)))

of_news = app.queue_trigger(arg_name="message", queue_name=queue_name(NOTIFY), connection="CmgStorage")
app.function_name(NOTIFY)(of_news(notifying(services)))

each_minute = app.timer_trigger(arg_name="timer", schedule=EACH_MINUTE)
app.function_name("wake-due")(each_minute(waking(services)))
