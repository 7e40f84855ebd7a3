"""``manage.py order ann``: what a view would do."""

from django.core.management.base import BaseCommand
from django.db import transaction

from shop.models import Order
from shop.tasks import write_invoice


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("customer")
        parser.add_argument("--change-of-mind", action="store_true")

    def handle(self, *args, **options):
        try:
            with transaction.atomic():
                order = Order.objects.create(customer=options["customer"])
                handle = write_invoice(order.pk)
                if options["change_of_mind"]:
                    raise LookupError
        except LookupError:
            self.stdout.write("nothing was ordered")
        else:
            self.stdout.write(handle.id)
