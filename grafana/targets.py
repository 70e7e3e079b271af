"""Targets of the platform itself: the colours of the panels that have no business KPI."""

from __future__ import annotations

from agents.kpis.targets import Target

LAG_RECORDS = Target(goal=100, alarm=1_000, wording="under 100 records; alarming from 1,000")
RESPONSE_SECONDS = Target(goal=0.5, alarm=2.0, wording="under 0.5 s; alarming from 2 s")
ERROR_SHARE = Target(goal=0.01, alarm=0.05, wording="under 1 %; alarming from 5 %")
LATE_POSTS = Target(goal=1, alarm=5, wording="none; alarming from 5")
TOKEN_SECONDS = Target(goal=14 * 86_400, alarm=7 * 86_400, wording="over 14 days; alarming under 7 days")
