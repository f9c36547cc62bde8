"""Prints the methods of the vendors' clients that send requests, as JSON: by class, those of its namespaces with their names."""

import inspect
import json

from memorystack import MemoryStackClient
from memorysync import ControlPlaneClient, MemorySyncClient

BASE = "http://127.0.0.1:9"


def methods(thing, prefix=""):
    for name, member in inspect.getmembers(thing):
        if name.startswith("_") or name == "close":
            continue
        if inspect.ismethod(member):
            yield prefix + name
        elif type(member).__name__.endswith("Namespace"):
            yield from methods(member, f"{prefix}{name}.")


clients = [
    MemoryStackClient(api_key="mgk_live_none", base_url=BASE),
    MemorySyncClient("mgk_live_none", BASE),
    ControlPlaneClient(BASE, access_token="mgk_live_none"),
]
print(json.dumps({type(client).__name__: sorted(methods(client)) for client in clients}))
