"""A small world to try the platform on: two invented authors, their site, exports and git history."""
