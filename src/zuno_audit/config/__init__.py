"""What a project says about its audit: `zuno-audit.yml`, and the profile, checklist and rules that follow."""
