#!/usr/bin/env python
"""Django's command line for B25 Analytics."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analytics_project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("manage.py: Django is not installed for this Python; run `make setup` and use .venv/bin/python")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
