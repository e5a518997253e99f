"""Looks at the world that change nothing, gathered for a plan."""
