"""Every address of the service on the API's port."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from analytics_project.monitoring.views import REPLIES, show

admin.site.site_header = admin.site.site_title = "B25 Analytics"
admin.site.index_title = "Events, dead letters and how they came in"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboards.urls")),
    # The admin's own addresses end in slashes; people leave the first one out.
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    # Before the events, whose ids may be any word.
    path("api/v1/", include("metrics.definitions.urls")),
    path("api/v1/", include("metrics.urls")),
    path("api/v1/", include("events.api.urls")),
    *(path(address.removeprefix("/"), show) for address in REPLIES),
]

handler400 = "analytics_project.refusals.bad_request"
handler403 = "analytics_project.refusals.forbidden"
handler404 = "analytics_project.refusals.not_found"
handler500 = "analytics_project.refusals.server_error"
