from django.db import models


class Order(models.Model):
    customer = models.CharField(max_length=80)
    invoice = models.CharField(max_length=80, blank=True)
