"""Outputs of real runs and what people attest: read, dated, and judged against the checklist.

store (which files there are) -> readers (what they say) -> freshness (whether it still counts)
-> kinds (whether an item's condition holds) -> rule runs, which `checklist/` treats like any other
"""
