"""What partner brands are told by HTTP: endpoints, deliveries in order, signatures, retries."""
