from hueycore import every
from hueycore.contrib.djhuey import db_periodic_task, db_task, on_commit_task
from shop.models import Order


@on_commit_task(retries=2)
def write_invoice(order_id):
    order = Order.objects.get(pk=order_id)  # there for sure: the transaction has committed
    order.invoice = f"invoice of {order.customer}"
    order.save()
    return order.invoice


@db_task()
def count_orders():
    return Order.objects.count()


@db_task()
async def name_customers():
    return [order.customer async for order in Order.objects.order_by("pk")]


@db_periodic_task(every("1h"))
def clean_up():
    Order.objects.filter(customer="").delete()
