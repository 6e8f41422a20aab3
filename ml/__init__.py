"""Thought: plain functions over plain values. No environment, no connections, no clock."""
