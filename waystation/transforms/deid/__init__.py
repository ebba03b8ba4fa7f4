"""De-identification after PS3.15 Annex E: the profile, the walk, and what each action does."""
