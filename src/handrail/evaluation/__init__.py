"""How good the answers are: metrics, intervals, calibration, thresholds, and the seal of the test rows.

May import data, recipe and below; tasks, runs and the report build on it. A newcomer adds a metric in
`metric_names` and `metrics` (weighted: `resampled_metrics`), or a kind of answer in `outcomes/`.
"""
