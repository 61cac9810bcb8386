"""The parts of the evaluator, one theme each; `facts/go/evaluate.py` puts them together."""
