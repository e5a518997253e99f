"""A plan as a page that a change board can approve."""

from cmg_core.plan_page.page import PlanPage, plan_page

__all__ = ["PlanPage", "plan_page"]
