from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

urlpatterns = [
    path("office/admin/", admin.site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]
