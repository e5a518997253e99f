"""The demo: one sample from its world's first moment to the report, against a fresh local Azure."""
