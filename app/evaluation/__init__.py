"""The evaluation of methods over a cohort: what is asked, computed, spent and shown."""
