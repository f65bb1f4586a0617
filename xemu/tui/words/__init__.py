"""What the words of the command line do: functions of a `commands.Context` and the words behind the name."""
