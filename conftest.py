"""Stops the test run, with one message, where a foreign package shadows one of ours."""

from app.house import check

check()
