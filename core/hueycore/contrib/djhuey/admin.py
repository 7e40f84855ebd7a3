"""The queue in Django's admin: the pages of the dashboard under the admin's login, within its base
template, in its theme. Who has the permission ``djhuey.view_job`` sees them, who has
``djhuey.change_job`` may act; the event log of the queue names them.

It is there with ``hueycore.contrib.djhuey`` and ``django.contrib.admin`` in ``INSTALLED_APPS``, and
with the extra ``dashboard``.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt

from hueycore.contrib.djhuey import HUEY
from hueycore.contrib.djhuey.models import Job

if TYPE_CHECKING:
    from hueyctl.dashboard.asks import Answer, Respond

#: Headers of a page of ours alone: the admin's page around it has another body, and a site may have
#: changed its base template to whatever its own policy allows.
_OWN = {"content-length", "content-security-policy", "etag"}


class JobAdmin(admin.ModelAdmin):
    """Its list of objects is the overview of the queue; below it are the other pages."""

    @cached_property
    def respond(self) -> Respond:
        """Answers with pages that stand within the admin's."""
        # Imported here: of those who load the admin few look at the queue.
        from hueyctl.dashboard import routes
        from hueyctl.dashboard.board import Board

        return routes.responder(Board(HUEY.location, inside=True))

    def get_urls(self) -> list[Any]:
        # The dashboard's guard tells where a form came from.
        view = self.admin_site.admin_view(csrf_exempt(self.show), cacheable=True)
        return [
            path("", view, name="djhuey_job_changelist"),
            path("<path:page>", view, name="djhuey_job_page"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def show(self, request: HttpRequest, page: str = "") -> HttpResponse:
        """A page of the dashboard, its document, or what a form has done."""
        from hueyctl.dashboard.doors.django import read, response

        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        person = request.user.get_username(), self.has_change_permission(request)
        answer = self.respond(read(request, page, person))
        return self._within(request, answer) if answer.title else response(answer)

    def _within(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": answer.title,
            "page": mark_safe(answer.body.decode()),  # noqa: S308  jinja2 has escaped it
        }
        headers = {name: value for name, value in answer.headers if name.lower() not in _OWN}
        template = "admin/djhuey/page.html"
        return TemplateResponse(request, template, context, status=answer.status, headers=headers)


if find_spec("jinja2") is not None:
    admin.site.register(Job, JobAdmin)
