"""The clinical data set: counts over a cohort, on disk, from shards, joined over sites."""
