"""What Redmine's REST API cannot write: a Ruby program that runs inside Redmine, and the command that starts it."""
