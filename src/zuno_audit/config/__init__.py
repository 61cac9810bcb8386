"""What a project says about its own audit: `zuno-audit.yml`, and the profile, checklist and rules that follow."""
