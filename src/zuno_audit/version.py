"""The version of zuno-audit, in one place for reports and packaging."""

VERSION = "0.1.0"
