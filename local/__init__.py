"""What stands in for Azure, its host and its storage on one machine. Nothing that ships imports this package."""
