"""What the app says of itself: the OpenAPI document, its page, and what each type of problem means."""
