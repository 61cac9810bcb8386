"""What people who write rules need: pages that explain, fixtures that try, checks, a first draft."""
