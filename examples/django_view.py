"""A Django view that starts a thread, rewritten to hand the work to Errand: with Python's standard library alone.

What was

    def my_view(request):
        thread = threading.Thread(target=long_running_task)
        thread.start()
        return JsonResponse({'message': 'Task started in the background'})

is `my_view` below. The difference: the task has an id, a status, a result, retries and a timeout; it is not lost with
the web server's process, does not slow its requests down, and its errors are seen. `thread.join()` is `?wait`.

    # urls.py
    urlpatterns = [
        path("start", my_view),
        path("mail", send_mail_view),
        path("tasks/<uuid:task_id>", task_status),
    ]
"""

import json
import os
import time
import uuid
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.http import JsonResponse

ERRAND_URL = os.environ.get("ERRAND_URL", "http://127.0.0.1:8000")
ERRAND_KEY = os.environ.get("ERRAND_KEY")

# Errand stands beside Django: a proxy that the environment names is not meant for it.
_open = build_opener(ProxyHandler({})).open


def errand(method, path, body=None, wait=0, tries=3):
    """Asks Errand, and answers what it says; raises HTTPError, whose body says what is wrong (RFC 9457)."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if ERRAND_KEY:
        headers["Authorization"] = f"Bearer {ERRAND_KEY}"
    if method == "POST":
        # Sent twice, because an answer was lost or Errand was busy, it is still one task.
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if wait:
        headers["Prefer"] = f"wait={wait}"
    data = None if body is None else json.dumps(body).encode()
    request = Request(ERRAND_URL + path, data, headers, method=method)
    while True:
        tries -= 1
        try:
            with _open(request, timeout=10 + wait) as response:
                return json.load(response)
        except HTTPError as problem:
            if problem.code not in (429, 503) or tries == 0:
                raise
            time.sleep(min(int(problem.headers.get("Retry-After", 1)), 5))
        except OSError:
            if tries == 0:
                raise


def start(request, type, input, **options):
    """Submits a task; who has started it may ask for it."""
    task = errand("POST", "/v1/tasks", {"type": type, "input": input, **options})
    request.session["tasks"] = [*request.session.get("tasks", []), task["id"]][-100:]
    return task


def my_view(request):
    """The article's view. `sleep` is its `long_running_task`."""
    if request.method != "POST":
        return JsonResponse({"message": "POST, please"}, status=405, headers={"Allow": "POST"})
    task = start(request, "sleep", {"ms": 5000})
    return JsonResponse({"message": "Task started in the background", "task": task["id"]}, status=202)


def send_mail_view(request):
    """The article's `send_email_async`: tried again where the mail server is away, and never sent twice by guess."""
    if request.method != "POST":
        return JsonResponse({"message": "POST, please"}, status=405, headers={"Allow": "POST"})
    mail = {"to": ["recipient@example.com"], "subject": "Subject", "text": "Message content"}
    task = start(request, "send-email", mail, timeout="30s")
    return JsonResponse({"message": "The mail is on its way", "task": task["id"]}, status=202)


def task_status(request, task_id):
    """How a task is doing: what a thread cannot tell. With `?wait` it answers when it has ended, 20 s at most."""
    task_id = str(task_id)
    if task_id not in request.session.get("tasks", []):
        return JsonResponse({"message": "There is no such task"}, status=404)
    try:
        task = errand("GET", f"/v1/tasks/{task_id}", wait=20 if "wait" in request.GET else 0)
    except HTTPError as problem:
        # 410: it has ended, and was kept as long as the service keeps tasks.
        return JsonResponse({"message": json.load(problem)["title"]}, status=problem.code)
    shown = ("id", "status", "progress", "result", "error")
    return JsonResponse({name: task[name] for name in shown if name in task})
