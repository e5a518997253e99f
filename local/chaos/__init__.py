"""Campaigns: many stories of one sample, each with its own mischief, each judged by a checker of its own mind."""
