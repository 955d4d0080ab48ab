"""What is written and sent about an event: log, alarms, HTTP responses."""
