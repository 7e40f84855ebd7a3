"""What permissions are about: ``view_job`` sees the queue in the admin, ``change_job`` acts there.
There is no table: the storage of the queue has the jobs."""

from django.db import models


class Job(models.Model):
    """It is never read or written."""

    id = models.CharField(primary_key=True, max_length=255)

    class Meta:
        managed = False
        app_label = "djhuey"
        default_permissions = ("view", "change")
