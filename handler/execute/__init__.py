"""The only code that acts: deciding with the ledger, sending, polling, following up."""
