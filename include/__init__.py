"""The outside world: every read and write, one door per system, and the platform's verbs."""
