"""stub"""
from lab.verdict import Verdict
def judge(config, run): return Verdict.not_comparable("x")
