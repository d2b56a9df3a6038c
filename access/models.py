from django.db import models

DEFAULT_PROJECT_ID = 1


class Project(models.Model):
    """A tenant. Every stored row carries the id of one; no query goes without it."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug
