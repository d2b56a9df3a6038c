from pathlib import Path

from django.conf import settings

from analytics_project.config.reference import reference


def test_the_page_on_configuration_is_what_the_schema_says() -> None:
    page = Path(settings.BASE_DIR, "docs/configuration.md").read_text("utf-8")

    assert page == reference(), "run: manage.py describe_settings > docs/configuration.md"
