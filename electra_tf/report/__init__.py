"""Pictures and pages made from a run's own files.

Nothing here imports matplotlib or jinja2 at module level except `plots` and
`comparison_plots`, so that a missing `report` extra is one clear line and not
a traceback.
"""

from electra_tf.report.page import write_report

__all__ = ["write_report"]
