"""Clock, threads, validation, strict JSON, wording: nothing here knows of EMR."""
