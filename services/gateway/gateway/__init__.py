"""The way in: REST, sign-in, live updates, partner webhooks."""
