"""What several test files share: running programs, reading results, ELF files."""
