"""One file a sender: its wire model, and how it becomes an Event."""
