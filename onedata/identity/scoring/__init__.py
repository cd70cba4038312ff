"""The probabilistic pass of OneID: weights of what two profiles have in common.

`train.train` returns a `model.Model`, `score.score` the weighted pairs, `cluster.cluster` clusters, and
`records.match_records` all of it for any set of records. Nothing is imported here: train, score and records load
Splink, which only the scoring stage needs.
"""
