"""Waiting and the UI: sensors, triggers, operators, asset names. No business rules."""
