"""Events that are posted to callers: who listens, what is told, how it is signed, and where it may go."""
