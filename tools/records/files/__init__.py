"""Files of records as streams: opened plain or compressed, as chunks of columns, faults by row."""
