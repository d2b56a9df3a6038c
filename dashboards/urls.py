from django.urls import path

from dashboards.views import OverviewViewSet, home

urlpatterns = [
    path("", home, name="home"),
    path("api/v1/internal/overview", OverviewViewSet.as_view({"get": "list"}), name="overview"),
]
