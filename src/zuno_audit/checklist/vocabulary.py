"""Words that checklists use: those that say nothing, those that mean the same, units and small numbers."""

from __future__ import annotations

_STOP = """
a an and any are as at be been before by can case check checked checks confirm do does done each ensure every
for from has have if in into is it its make may must of off on or our out per please shall should so such
sure that the their them then there these they this those to up use used uses using verified verify
was we were what when where which will with you your all both via after now
"""
_SAME = """
database: db databases
document: docs doc documentation documented written
certificate: cert certs certificates
kubernetes: k8s
build: compile compiles compiled builds building built
postgres: postgresql
mongodb: mongo
prometheus: prom
repository: repo
image: images container containers
vulnerability: vulnerabilities cve cves
exist: present exists created there defined
config: configured configuration configurations settings set setup configure
restore: restored restores
rollback: revert
health: healthy
alert: alerts alarm alarms alerting
error: errors
fail: failures failure failed
response: latency
dependency: dependencies modules
linter: lint linting linters
review: reviewed
approve: approved approval
signin: login
notified: notifications notification notify
"""
_GENERIC = """
exist exists present there place places file files func function code service services microservice
microservices work works working look looks ok single one new way correct correctly proper properly right real
item project ready complete completed success successful successfully but already double still every
entry entries give gives gave among says say leave leaves once again up get gets got permission permissions
green everywhere realtime console ui page
entry entries contain contains cover covers include includes listed hold holds named given
"""
_CLAIMING = """
some: one single some most few several half either only partly partially mostly
string: string strings
integer: integer integers int ints
float: float floats decimal decimals
byte: byte bytes
json: json
yaml: yaml
xml: xml
csv: csv
tested: tested rehearsed exercised tried drilled
approved: approved accepted
trained: trained taught
printed: printed
translated: translated
encrypted: encrypted
archived: archived
deployed: deployed
scheduled: scheduled planned
drafted: drafted draft
optional: optional optionally
"""
_UNITS = "s: second sec\nm: minute min\nh: hour hr\nd: day\nb: byte\nbit: bit"
_COUNTS = "two three four five six seven eight nine ten eleven twelve"


def _pairs(text: str) -> dict[str, str]:
    """From lines `meaning: word word` to the meaning of each word."""
    lines = (line.partition(": ") for line in text.strip().splitlines())
    return {word: meaning for meaning, _, words in lines for word in words.split()}


GENERIC = frozenset(_GENERIC.split())  # words that tell nothing of what a statement is about
STOP = frozenset(_STOP.split())
SAME = _pairs(_SAME)
CLAIMING = _pairs(_CLAIMING)  # words that a rewording must not bring in
UNITS = _pairs(_UNITS)
COUNTS = {word: str(number) for number, word in enumerate(_COUNTS.split(), 2)}
