"""The probabilistic pass of OneID: what two profiles have in common, weighed.

`train.train` gives a `model.Model`, `score.score` the weighed pairs, `cluster.cluster` clusters, and
`records.match_records` all of it for any set of records. Nothing is imported here: train, score and records load
Splink, which only the stage that scores should pay for.
"""
