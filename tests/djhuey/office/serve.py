"""The project on a free port, with its style sheets; the first line is the address."""

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from waitress import create_server

server = create_server(StaticFilesHandler(get_wsgi_application()), host="127.0.0.1", port=0)
print(f"http://127.0.0.1:{server.effective_port}/office/admin", flush=True)
server.run()
